"""Locks on directories, so that two processes never make the same output at once."""

import fcntl
import os
import sys
from pathlib import Path


def lock_directory(directory: Path) -> int:
    """Locks a directory and returns its descriptor; closing it unlocks. A killed process leaves no
    lock behind.
    """
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{directory}: another process works there; waiting for it to end", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
