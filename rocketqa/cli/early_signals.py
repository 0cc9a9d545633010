"""Ends the command in one line where a signal comes before `main` handles signals.

Until then the modules that `main` needs are imported, and Ctrl-C would be a traceback of Python.
Nothing has been started yet, so there is nothing to end or to save. `cli.__main__` imports this
module before those of the package that take time.
"""

import os
import signal
import sys
from types import FrameType

COMMAND = ("/rocketqa", "/rocketqa/cli/__main__.py")  # ends of the path of the program that runs
BY_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
BY_A_SIGNAL = 128  # the exit status of a process that a signal ended is 128 + its number


def is_command() -> bool:
    """Returns whether this process is the command itself: no program that imports it, no worker."""
    is_worker = "multiprocessing" in sys.modules
    return f"/{sys.argv[0]}".endswith(COMMAND) and not is_worker


def _end(number: int, frame: FrameType | None) -> None:
    name = " ".join(["rocketqa", *sys.argv[1:2]])
    os.write(2, f"{name}: stopped; call again to go on\n".encode(errors="replace"))
    os._exit(BY_A_SIGNAL + number)


def handle_early() -> None:
    """Lets the signals end this process in one line, except those that are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in BY_DEFAULT:
            signal.signal(number, _end)


if is_command():
    handle_early()
