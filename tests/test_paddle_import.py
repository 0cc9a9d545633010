"""Paddle is imported without its noise, and signals stay as they were."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from toy_files import ENVIRONMENT

from rocketqa.distributed.paddle_import import NOISE, is_noise, without_noise

ROOT = Path(__file__).parents[1]
IMPORT = """
import sys
from rocketqa.distributed.paddle_import import expect_import
expect_import()
expect_import()
import rocketqa
import paddle
"""
TWO_THREADS = ENVIRONMENT | {"OMP_NUM_THREADS": "2"}


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, env=TWO_THREADS, capture_output=True, text=True, timeout=120
    )


def test_paddle_itself_is_noisy():
    assert "OMP_NUM_THREADS" in run("import rocketqa, paddle").stderr


def test_an_expected_import_says_nothing_and_is_the_same_module():
    done = run(IMPORT + "print(type(paddle.__spec__.loader).__name__, int(paddle.ones([2]).sum()))")
    assert (done.stdout, done.stderr) == ("SourceFileLoader 2\n", "")


@pytest.mark.parametrize("wanted", ["stopping.handle_signals()", "pass"])
def test_signals_go_where_they_went_before(wanted):
    program = f"from rocketqa.jobs import stopping\n{wanted}\n{IMPORT}"
    program += "import os, signal\n"
    program += "try: os.kill(os.getpid(), signal.SIGTERM)\n"
    program += "except stopping.Stopped: print('stopped')\n"
    done = run(program)
    if wanted == "pass":
        assert (done.returncode, done.stdout, done.stderr) == (-15, "", "")
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


@pytest.mark.parametrize("noise", NOISE)
def test_only_noise_is_left_out(monkeypatch, noise):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    with without_noise():
        print("a line\n" + noise, "and more", file=sys.stderr)
        sys.stderr.write("a line in ")
        sys.stderr.write("two parts\nthe rest")
    assert shown.getvalue() == "a line\na line in two parts\nthe rest"
    assert sys.stderr is shown


def test_an_error_is_no_noise():
    assert not is_noise("RuntimeError: (PreconditionNotMet) Cannot load cudnn shared library.")
