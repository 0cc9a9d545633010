"""Errors of the machine: no room on a disk, no memory, no permission.

Libraries report them in their own ways, most without a place. Each becomes one line here, with the
place and the cure.
"""

import errno
import mmap
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError


class MachineError(NamedTuple):
    """What is expected of the machine, and what the user can do where it is not so."""

    expected: str
    cure: str


NO_ROOM = MachineError("room on the disk", "free some, or take another disk; then call again")
NO_MEMORY = MachineError(
    "more memory", "free some, or ask for less by smaller batches or OMP_NUM_THREADS=1; call again"
)
NO_PERMISSION = MachineError("permission for this user", "change it, or take another place")
OF_NUMBER = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EFBIG: MachineError("larger files to be allowed", "raise `ulimit -f`; then call again"),
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EROFS: MachineError("a disk that can be written", "take another place"),
    errno.EMFILE: MachineError("more open files to be allowed", "raise `ulimit -n`"),
    errno.EIO: MachineError("a disk that works", "look at the disk and at the system's log"),
    errno.ENOMEM: NO_MEMORY,
}
# In the words of an error: its number (Rust, Python), and what numpy says of a full disk.
WITH_NUMBER = re.compile(r"(?:\(os error |\[Errno )(\d+)")
OF_NUMPY = re.compile(r"\d+ requested and \d+ written")
OF_NO_MEMORY = re.compile(
    "ResourceExhausted|bad_alloc|[Cc]annot allocate memory|Out of memory|failed to map segment"
    "|can't start new thread"
)


def line_for_user(error: Exception) -> str | None:
    """Returns the line that a command prints before it exits with status 2.

    None for an error that the user cannot mend.
    """
    if isinstance(error, DataError):
        return str(error)
    number = number_of(error)
    if number in OF_NUMBER:
        place = getattr(error, "filename", None)
        return _line(number, f"{place}: " if place else "")
    return str(error) if isinstance(error, OSError) else None


def refuse_without_memory(size: int) -> None:
    """Raises OSError where this process may not take so many more bytes of address space.

    Libraries that meet a limit (`ulimit -v`) abort, or wait for ever for threads that could not
    start. None of the memory is used.
    """
    mmap.mmap(-1, size).close()


def tell_user(command: str, error: Exception) -> int:
    """Prints the line of an error, and returns the exit status of the command: 2.

    Raises the error where the user cannot mend it.
    """
    line = line_for_user(error)
    if line is None:
        raise error
    print(f"{command}: {line}", file=sys.stderr)
    return 2


def refuse_machine_error(error: BaseException, place: Path) -> None:
    """Raises DataError where the machine has failed and the error does not say where.

    place: where the work is written. The folder of temporary files is named if it has less room.
    """
    number = number_of(error)
    if number not in OF_NUMBER or getattr(error, "filename", None) or isinstance(error, DataError):
        return
    if OF_NUMBER[number] == NO_MEMORY:
        raise DataError(_line(number, "")) from error
    if OF_NUMBER[number] == NO_ROOM:
        temporary = Path(tempfile.gettempdir())
        place = min(place, temporary, key=lambda folder: shutil.disk_usage(folder).free)
    raise DataError(_line(number, f"{place}: ")) from error


def number_of(error: BaseException) -> int:
    """Returns the number (errno) of an error of the machine, 0 for any other error."""
    words = str(error)
    with_number = WITH_NUMBER.search(words)
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, MemoryError) or OF_NO_MEMORY.search(words):
        return errno.ENOMEM
    if with_number:
        return int(with_number[1])
    if OF_NUMPY.search(words):
        return errno.ENOSPC
    in_words = (number for number in OF_NUMBER if f"({os.strerror(number)})" in words)  # faiss
    return next(in_words, 0)


def _line(number: int, place: str) -> str:
    expected, cure = OF_NUMBER[number]
    return f"{place}expected {expected}, got {os.strerror(number)!r}: {cure}"
