"""Lines on stderr about a model folder: what was taken of it, and what was left out."""

import os
import sys

RANK = "PADDLE_TRAINER_ID"  # the number of a process, which Paddle's launcher tells it


def say(line: str) -> None:
    """Prints a line, once in a launch of several processes."""
    if os.environ.get(RANK, "0") == "0":
        print(line, file=sys.stderr)
