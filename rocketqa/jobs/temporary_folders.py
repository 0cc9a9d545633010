"""Temporary folders. A killed process leaves its folder; the next call that makes one removes it.

Whoever uses a folder holds a lock on it, which the kernel takes from the dead.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "rocketqa-work-"


def temporary_folder(parent: Path | None = None) -> "tempfile.TemporaryDirectory[str]":
    """Returns a new folder in `parent`, by default in the folder that TMPDIR names."""
    remove_folders_of_the_dead(parent)
    while True:
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent)
        lock = _open(Path(folder.name))
        if lock is None:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder.name):
            weakref.finalize(folder, os.close, lock)
            return folder
        os.close(lock)  # another process took the folder for one of the dead, before the lock


def remove_folders_of_the_dead(parent: Path | None = None) -> None:
    """Removes the folders in `parent` that no process uses any more."""
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with _taken_from_the_dead(folder) as is_taken:
            if is_taken:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _taken_from_the_dead(folder: Path) -> Iterator[bool]:
    """Locks a folder for the block, if it is this user's and nobody has it; tells whether it is."""
    lock = _open(folder)
    if lock is None:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_own = os.fstat(lock).st_uid == os.getuid()
    except OSError:
        is_own = False
    try:
        yield is_own
    finally:
        os.close(lock)


def _open(folder: Path) -> int | None:
    """Returns the descriptor of a folder, None where it is gone or something else."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
