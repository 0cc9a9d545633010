"""The place of an output: a link is followed, and what cannot take the finished artefact is
refused before the work begins.
"""

import errno
import os
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from rocketqa.files.errors import DataError

MOUNTS = Path("/proc/self/mountinfo")  # of Linux; the fifth column is the folder or file
LONGEST_ENDING = ".meta.json"  # of the names beside an output
TRIAL = ".trial"
# What a rename of a folder answers where only the artefact that is there stands in its way.
IN_THE_WAY = (errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST)


def target_of(output: Path) -> Path:
    """Returns where an artefact is made: the target of a link, else the path itself."""
    if output.is_symlink() and output.exists():
        return output.resolve()
    return output


def refuse_unless_place(output: Path) -> None:
    """Raises DataError where no finished artefact can be renamed to a path.

    That is a link to something that is missing, a mount point, or a name that is too long.
    """
    if output.is_symlink() and not output.exists():
        raise DataError(
            f"{output}: expected a link to something that is there, "
            f"got one to {os.readlink(output)}: make that, or remove the link"
        )
    if is_mount_point(output):
        raise DataError(
            f"{output}: expected a path that a finished artefact can be renamed to, "
            "got a mount point: give a path inside it"
        )
    above = next(folder for folder in output.absolute().parents if folder.is_dir())
    longest = os.pathconf(above, "PC_NAME_MAX") - len(LONGEST_ENDING)
    length = len(os.fsencode(output.name))
    if length > longest:
        raise DataError(f"{output}: expected a name of at most {longest} bytes, got {length}")


def is_mount_point(path: Path) -> bool:
    """Returns whether another file system, folder or file is mounted at a path."""
    if path.is_dir() and os.path.ismount(path):
        return True
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    escaped = str(path.resolve()).replace("\\", "\\134").replace(" ", "\\040")
    return escaped in {line.split(" ")[4] for line in lines}


def free_name(path: Path) -> Path:
    """Returns a path that nothing has: the given one, else with -2, -3, ... after it."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(name for name in chain([path], numbered) if not name.exists())


def try_rename(part: Path, output: Path) -> None:
    """Tries whether a folder can be renamed to an output that is there, and changes nothing.

    The kernel asks for permission before it finds that the output is no empty folder. An empty one
    becomes another empty one. Raises DataError where the rename is refused.
    """
    if not output.exists():
        return
    trial = part / TRIAL
    trial.mkdir(exist_ok=True)
    try:
        os.rename(trial, output)
    except OSError as error:
        if error.errno not in IN_THE_WAY:
            raise DataError(
                f"{output}: expected a path that a finished artefact can be renamed to, "
                f"got {error.strerror}"
            ) from None
    finally:
        with suppress(FileNotFoundError):
            trial.rmdir()
