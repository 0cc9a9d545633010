"""What is installed is named. Of nvidia-smi only a right answer is believed, and soon given up."""

import os
import subprocess
import time
from importlib.metadata import PackageNotFoundError

import pytest
from false_commands import write_command

from rocketqa.doctor import machine
from rocketqa.doctor.findings import ABSENT, OK, WRONG
from rocketqa.doctor.machine import DriverAnswer, ask_driver, judge_driver, run_within, versions

GPU = "NVIDIA A100-SXM4-80GB, 550.54.14, 8.0"


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Returns a writer of the false nvidia-smi that is called."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return lambda body: write_command(tmp_path / "nvidia-smi", body)


def test_gpus_are_counted_by_their_lines(nvidia_smi):
    nvidia_smi(f"case $* in *name,driver*) for n in 1 2 3; do echo '{GPU}'; done ;; esac")
    assert ask_driver() == DriverAnswer([GPU] * 3)
    assert judge_driver(ask_driver()) == (OK, f"3 x {GPU}")


@pytest.mark.parametrize(
    "body, got",
    [
        ("echo '<html>503</html>'", "'<html>503</html>'"),
        ("printf '\\377\\376\\001'", "'\ufffd\ufffd\\x01'"),
        (f"echo '{GPU}'; echo and more", f"'{GPU} and more'"),
        ("true", "'an empty text'"),
        (f"echo '{GPU}'; exit 1", f"exit status 1 and '{GPU}'"),
        ("echo 'no driver' >&2; exit 9", "exit status 9 and 'no driver'"),
    ],
)
def test_another_answer_is_wrong_and_shown(nvidia_smi, body, got):
    nvidia_smi(body)
    assert ask_driver().gpus == []
    verdict, text = judge_driver(ask_driver())
    assert verdict == WRONG
    assert text == f"expected nvidia-smi to name the GPUs, got {got}: mend the driver"


def test_a_file_that_is_no_program_is_wrong(nvidia_smi):
    nvidia_smi("").write_bytes(b"\x7fELF and nothing more")
    assert judge_driver(ask_driver())[0] == WRONG


def test_one_that_never_answers_is_left_and_killed(nvidia_smi, tmp_path, monkeypatch):
    nvidia_smi(f"echo $$ >{tmp_path}/id; sleep 600; echo '{GPU}'")
    monkeypatch.setattr(machine, "PATIENCE", 0.5)
    begin = time.monotonic()
    assert ask_driver() == DriverAnswer([], "no answer within 0.5 seconds")
    assert time.monotonic() - begin < 5
    group = int((tmp_path / "id").read_text())
    deadline = time.monotonic() + 5
    while living_of(group):  # the shell and its sleep
        assert time.monotonic() < deadline
        time.sleep(0.05)


def living_of(group: int) -> list[str]:
    """Returns the processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True)
    lines = [line.split() for line in listed.stdout.splitlines()]
    return [state for number, state in lines if int(number) == group and state[0] != "Z"]


def test_what_a_process_said_before_it_hung_is_kept():
    ended = run_within(["sh", "-c", "echo begun; sleep 600"], 0.5)
    assert (ended.status, ended.output) == (None, b"begun\n")


def test_a_machine_without_nvidia_smi_has_no_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert judge_driver(ask_driver()) == (ABSENT, "no nvidia-smi")


def installed(monkeypatch, *packages: str) -> None:
    """Lets exactly these packages be installed."""

    def version(name: str) -> str:
        if name not in packages:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(machine, "version", version)


@pytest.mark.parametrize(
    "packages, gpus, verdict, words",
    [
        (("paddlepaddle", "faiss-cpu"), 0, OK, "paddlepaddle 1.0, faiss-cpu 1.0"),
        (("paddlepaddle-gpu", "faiss-gpu"), 8, OK, "paddlepaddle-gpu 1.0, faiss-gpu 1.0"),
        (("paddlepaddle",), 8, WRONG, "expected paddlepaddle-gpu for the GPU, got paddlepaddle: "),
        (("paddlepaddle", "paddlepaddle-gpu"), 8, WRONG, "or paddlepaddle-gpu, got both: "),
        (("paddlepaddle", "faiss-cpu", "faiss-gpu"), 0, WRONG, "faiss-cpu or faiss-gpu, got both"),
        ((), 0, WRONG, "expected paddlepaddle or paddlepaddle-gpu, got rocketqa "),
    ],
)
def test_packages_that_do_not_go_together_are_wrong(monkeypatch, packages, gpus, verdict, words):
    installed(monkeypatch, *packages)
    found, text = versions(gpus)
    assert found == verdict
    assert words in text
