"""Ends the command in one line where a signal comes before its `main` handles signals.

Until then the modules that `main` needs are imported, and Ctrl-C would be a traceback of Python.
Nothing has been started yet, so there is nothing to end or to save. `cli.__main__` and
`distributed.launch` import this module before those that take time.
"""

import os
import signal
import sys
from types import FrameType

# The end of the path of the program that runs -> where its arguments have the verb.
VERB_AT = {
    "/rocketqa": 1,
    "/rocketqa/cli/__main__.py": 1,
    "/rocketqa/distributed/launch.py": 3,  # after the number of devices and the command
}
BY_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
BY_A_SIGNAL = 128  # the exit status of a process that a signal ended is 128 + its number


def place_of_verb() -> int:
    """Returns where the arguments of this process have the verb.

    It is 0 for a program that imports the command, and for a worker of a pool.
    """
    if "multiprocessing" in sys.modules:
        return 0
    program = f"/{sys.argv[0]}"
    return next((place for end, place in VERB_AT.items() if program.endswith(end)), 0)


def handle_early() -> None:
    """Lets the signals end this process in one line, except those that are ignored.

    A process that is not the command's own is left as it is.
    """
    place = place_of_verb()
    if not place:
        return
    name = " ".join(["rocketqa", *sys.argv[place : place + 1]])
    line = f"{name}: stopped; call again to go on\n".encode(errors="replace")

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, line)
        os._exit(BY_A_SIGNAL + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in BY_DEFAULT:
            signal.signal(number, end)


handle_early()
