"""The time and the memory of a command in a process of its own."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rocketqa.jobs.parents import environment_of_child


class Cost(NamedTuple):
    """Seconds from begin to end, seconds of the processor, and peak memory in bytes.

    Where the command starts processes, the memory is that of the largest of them all. It is never
    less than that of the process that starts the command, which is small: it has loaded no Paddle.
    """

    seconds: float
    processor_seconds: float
    peak_memory: int


class Failure(Exception):
    """A command has ended with another status than 0; the message is its last line."""


def cost_of(command: Sequence[str], variables: Mapping[str, str] | None = None) -> Cost:
    """Runs a command and returns its cost. Raises Failure where it fails.

    variables: of its environment, besides those of this process.
    """
    environment = {**environment_of_child(), **(variables or {})}
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        messages = errors.read().splitlines()
    if process.returncode:
        raise Failure(messages[-1] if messages else f"exit status {process.returncode}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
