"""Writes that outlive a power cut: bytes and names are on disk before anything relies on them.

A file system may write a rename to disk before the bytes of the file that was renamed. So a file is
synced (written to disk with `fsync`) before its rename, and its folder after it. All renames of
states, artefacts and manifests are `put_in_place`. A piece of unfinished work may get lost, but is
never half: `put_piece_in_place` leaves its name to the sync of the whole work. A sync takes some
milliseconds even where nothing is to be written, so no file is synced twice.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from rocketqa.jobs.stopping import signals_wait

# What some network file systems answer where a folder is to be synced: they need no such call.
CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP)
OWNER_ALONE = 0o077
_synced: set[tuple[int, ...]] = set()  # the versions of files that this process has synced


def sync(path: Path) -> None:
    """Returns when the bytes of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        version = _version_of(descriptor)
        if version in _synced:
            return
        os.fsync(descriptor)
        if path.is_file():
            _synced.add(version)
    except OSError as error:
        if error.errno not in CANNOT_SYNC or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _version_of(descriptor: int) -> tuple[int, ...]:
    """Returns what changes with the bytes of a file, and not with its name."""
    status = os.fstat(descriptor)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def sync_all(path: Path) -> None:
    """Syncs a file, or a folder with everything below it."""
    if path.is_dir():
        for below in path.rglob("*"):
            sync(below)
    sync(path)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, unless they are there; their names are on disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def put_in_place(source: Path, target: Path) -> None:
    """Renames a file or a folder, with everything on disk before and after.

    Its files get the modes of new files, whatever a library has given them.
    """
    give_usual_modes(source)
    sync_all(source)
    rename(source, target)


def put_piece_in_place(source: Path, target: Path) -> None:
    """Renames a file with its bytes on disk before; its name gets there later."""
    sync(source)
    os.replace(source, target)


def rename(source: Path, target: Path) -> None:
    """Renames what is on disk already; the new name is on disk, too."""
    os.replace(source, target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def give_usual_modes(path: Path) -> None:
    """Gives a file, or the files below a folder, the mode that the umask leaves to new files."""
    usual = usual_mode()
    files = [path]
    if path.is_dir():
        files = [below for below in path.rglob("*") if below.is_file()]
    for file in files:
        if file.stat().st_mode & 0o777 != usual:
            with suppress(PermissionError):  # a file system without modes
                file.chmod(usual)


def usual_mode() -> int:
    """Returns the mode of a new file. The umask can only be read by setting it."""
    umask = os.umask(OWNER_ALONE)
    os.umask(umask)
    return 0o666 & ~umask


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there.

    Signals wait meanwhile: Python closes a file descriptor twice where one stops it in a folder.
    """
    if path.is_dir() and not path.is_symlink():
        with signals_wait():
            shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
