"""A signal that comes while the command is still importing its modules ends it in one line."""

import signal
import subprocess
import sys

import pytest
from script_runs import ROOT
from stopping_processes import STATUS, default_signals

# It sends itself a signal when the first module is wanted that takes time.
SCRIPT = """
import os, sys
class Sender:
    def find_spec(self, name, *_):
        if name == "{module}":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Sender())
from {importer} import main
print("imported")
"""
OF_COMMAND = ("rocketqa.cli.__main__", "rocketqa.jobs.stopping")
OF_LAUNCH = ("rocketqa.distributed.launch", "subprocess")
LINE = "rocketqa retrieve: stopped; call again to go on\n"


def run(script, number, words=("retrieve",), modules=OF_COMMAND, ignored=None):
    """Runs a script that sends itself a signal while it imports the command."""
    importer, module = modules
    text = SCRIPT.format(number=int(number), importer=importer, module=module)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(text)

    def begin():
        default_signals()
        if ignored:
            signal.signal(ignored, signal.SIG_IGN)

    return subprocess.run(
        [sys.executable, str(script), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=begin,
    )


@pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
def test_a_signal_before_main_is_one_line_and_the_status_of_the_signal(tmp_path, number):
    done = run(tmp_path / "rocketqa", number)
    assert (done.returncode, done.stdout, done.stderr) == (STATUS[number], "", LINE)


def test_a_launch_ends_as_the_command_does(tmp_path):
    script = tmp_path / "rocketqa/distributed/launch.py"
    done = run(script, signal.SIGINT, ("2", "rocketqa", "retrieve"), OF_LAUNCH)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", LINE)


def test_an_ignored_signal_stays_ignored(tmp_path):
    done = run(tmp_path / "rocketqa", signal.SIGHUP, ignored=signal.SIGHUP)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\n", "")


def test_a_program_that_imports_the_command_keeps_its_own_signals(tmp_path):
    done = run(tmp_path / "program.py", signal.SIGINT)
    assert "KeyboardInterrupt" in done.stderr and "rocketqa retrieve: stopped" not in done.stderr
