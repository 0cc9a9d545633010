"""What is installed, and what the driver says of the GPUs. Needs no Paddle.

`nvidia-smi` may print anything, fail, or never answer: only lines of the right form are believed.
"""

import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from rocketqa import __version__
from rocketqa.doctor.findings import ABSENT, OK, WRONG, Judgement
from rocketqa.files.ranges import shown

FIELDS = "name,driver_version,compute_cap"
QUERY = ("nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader")
GPU_LINE = re.compile(r"\S.*, \d+\.[\d.]+, \d+\.\d+")
PATIENCE = 10.0  # seconds for nvidia-smi
CPU_PADDLE, GPU_PADDLE = "paddlepaddle", "paddlepaddle-gpu"
CPU_FAISS, GPU_FAISS = "faiss-cpu", "faiss-gpu"
OTHERS = ("numpy", "tokenizers", "safetensors")
ORDER = 'first Paddle\'s wheel for the GPU, then this project (run_scripts/README.md, "On GPUs")'


class Ended(NamedTuple):
    """How a process ended: its exit status (None: it did not) and what it said."""

    status: int | None
    output: bytes
    errors: bytes


def run_within(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> Ended:
    """Runs a command for so many seconds at most, then kills it and what it has started.

    Nothing waits for its death: a process that a broken driver holds in the kernel does not die.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        return Ended(None, error.output or b"", b"")
    return Ended(process.returncode, output, errors)


class DriverAnswer(NamedTuple):
    """What nvidia-smi says: a line for each GPU, or what is wrong. Both empty: it is not there."""

    gpus: list[str]
    fault: str = ""


def ask_driver() -> DriverAnswer:
    """Asks nvidia-smi for the GPUs, and waits for PATIENCE seconds at most."""
    if shutil.which(QUERY[0]) is None:
        return DriverAnswer([])
    try:
        ended = run_within(QUERY, PATIENCE)
    except OSError as error:
        return DriverAnswer([], f"{error.strerror}")
    if ended.status is None:
        return DriverAnswer([], f"no answer within {PATIENCE:g} seconds")
    said = (ended.output or ended.errors).decode(errors="replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if ended.status:
        return DriverAnswer([], f"exit status {ended.status} and {shown(said.strip())!r}")
    if not lines or not all(map(GPU_LINE.fullmatch, lines)):
        return DriverAnswer([], repr(shown(said.strip())))
    return DriverAnswer(lines)


def judge_driver(answer: DriverAnswer) -> Judgement:
    """Returns the finding about the driver."""
    if answer.fault:
        return WRONG, f"expected nvidia-smi to name the GPUs, got {answer.fault}: mend the driver"
    if not answer.gpus:
        return ABSENT, "no nvidia-smi"
    return OK, _counted(answer.gpus)


def _counted(lines: list[str]) -> str:
    """Returns each line once, with how often it is there."""
    counts = dict.fromkeys(lines, 0)
    for line in lines:
        counts[line] += 1
    return "; ".join(f"{count} x {line}" for line, count in counts.items())


def versions(gpus: int) -> Judgement:
    """Returns the finding about what is installed. gpus: those that the driver names."""
    names = (CPU_PADDLE, GPU_PADDLE, CPU_FAISS, GPU_FAISS, *OTHERS)
    installed = {name: number for name in names if (number := version_of(name))}
    listed = ", ".join(f"{name} {number}" for name, number in installed.items())
    python = f"Python {platform.python_version()}"
    found = f"rocketqa {__version__}, {python}, {listed}, {platform.system()} {platform.release()}"
    if CPU_PADDLE not in installed and GPU_PADDLE not in installed:
        return WRONG, f"expected {CPU_PADDLE} or {GPU_PADDLE}, got {found}"
    for both in ((CPU_PADDLE, GPU_PADDLE), (CPU_FAISS, GPU_FAISS)):
        if both[0] in installed and both[1] in installed:
            cure = f"uninstall both, and install one again: {ORDER}"
            return WRONG, f"expected {both[0]} or {both[1]}, got both: {cure}"
    if gpus and CPU_PADDLE in installed:
        return WRONG, f"expected {GPU_PADDLE} for the GPU, got {CPU_PADDLE}: install {ORDER}"
    return OK, found


def version_of(package: str) -> str:
    """Returns the version of an installed package, an empty text where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
