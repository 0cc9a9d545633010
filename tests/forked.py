"""Processes that share this one's imports: importing Paddle takes a second, forking does not."""

import multiprocessing
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

NEWS = re.compile(r"I\d{4} ")


class Forked:
    """A process that runs a function, with its output in a folder."""

    def __init__(self, folder: Path, name: str, function: Callable[[], object]):
        self._log = folder / name
        self._function = function
        self._process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self._process.start()

    def _run(self) -> None:
        with self._log.open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1)
        self._function()

    def send_signal(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        """Kills the process, stopped or not."""
        self.send_signal(signal.SIGKILL)
        self._process.join()

    def ending(self, seconds: float = 30) -> tuple[int | None, str]:
        """Waits for the end of the process; returns its exit status and all that it has said.

        The news of Paddle's C++ code are left out, as the commands do (GLOG_minloglevel).
        """
        self._process.join(seconds)
        lines = self._log.read_text().splitlines(keepends=True)
        return self._process.exitcode, "".join(line for line in lines if not NEWS.match(line))


def free_port() -> int:
    """Returns a port of this machine that nobody listens at."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]
