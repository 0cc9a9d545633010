"""A signal that comes while the command is still importing its modules ends it in one line."""

import signal
import subprocess
import sys

import pytest
from script_runs import ROOT
from stopping_processes import STATUS, default_signals

# It sends itself a signal when the first module is wanted that only `main` needs.
SCRIPT = """
import os, sys
class Sender:
    def find_spec(self, name, *_):
        if name == "rocketqa.jobs":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Sender())
from rocketqa.cli.__main__ import main
print("imported")
"""


def run(script, number, ignored=None):
    """Runs a script that sends itself a signal while it imports the command."""
    script.write_text(SCRIPT.format(number=int(number)))

    def begin():
        default_signals()
        if ignored:
            signal.signal(ignored, signal.SIG_IGN)

    return subprocess.run(
        [sys.executable, str(script), "retrieve"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=begin,
    )


@pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
def test_a_signal_before_main_is_one_line_and_the_status_of_the_signal(tmp_path, number):
    done = run(tmp_path / "rocketqa", number)
    line = "rocketqa retrieve: stopped; call again to go on\n"
    assert (done.returncode, done.stdout, done.stderr) == (STATUS[number], "", line)


def test_an_ignored_signal_stays_ignored(tmp_path):
    done = run(tmp_path / "rocketqa", signal.SIGHUP, signal.SIGHUP)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\n", "")


def test_a_program_that_imports_the_command_keeps_its_own_signals(tmp_path):
    done = run(tmp_path / "program.py", signal.SIGINT)
    assert "KeyboardInterrupt" in done.stderr and "rocketqa retrieve: stopped" not in done.stderr
