"""A process of ours ends with those above it, even where these are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from rocketqa.jobs.parents import PARENT, SCRIPTS, environment_of_child, is_gone

ROOT = Path(__file__).parents[1]
WORK = """
import os, time
from rocketqa.jobs import parents
from rocketqa.jobs.stopping import run_until_stopped
parents.LOOK = 0.05
def work():
    print(os.getpid(), sorted({parents.PARENT, parents.SCRIPTS} & set(os.environ)), flush=True)
    time.sleep(60)
    return 0
raise SystemExit(run_until_stopped("a command", work))
"""


def start(**variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WORK],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def script():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_stops_by_a_signal_where_a_script_above_it_is_killed(script):
    with start(**{SCRIPTS: f" {os.getpid()} {script.pid}"}) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" []\n")  # nothing for its own children
        script.kill()  # and nobody asks for its status
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert complaint == "a command: stopped; call again to go on\n"


def test_a_process_whose_parent_has_died_before_it_began_does_nothing(script):
    script.kill()
    script.wait()
    with start(**{PARENT: str(script.pid)}) as process:
        assert process.communicate(timeout=20) == ("", "")


def test_a_process_is_killed_with_its_parent():
    program = f"""
import subprocess, sys
from rocketqa.jobs.parents import environment_of_child
subprocess.run([sys.executable, "-c", {WORK!r}], env=environment_of_child())
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().split()[0])
        assert not is_gone(child)
        process.kill()
    wait_until(lambda: is_gone(child))


def test_a_child_gets_this_process_as_its_parent():
    assert environment_of_child()[PARENT] == str(os.getpid())
    assert PARENT not in os.environ


def test_a_dead_process_is_gone_before_and_after_its_status_was_asked_for(script):
    assert not is_gone(script.pid)
    script.kill()
    wait_until(lambda: is_gone(script.pid))
    script.wait()
    assert is_gone(script.pid)
