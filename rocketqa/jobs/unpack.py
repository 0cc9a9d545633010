"""A tar or zip archive of regular files, unpacked into a folder, which is complete or absent.

Nothing is written outside the folder: an absolute name, `..`, a link or a device ends the unpacking
with one line, and no folder is left. Owners, modes and dates of the files are not taken over.
"""

import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import MANIFEST
from rocketqa.jobs.job import Job
from rocketqa.jobs.manifest import JOB

GZIP_MARK = b"\x1f\x8b"  # the first bytes of a gzip file
BLOCK = 1 << 20  # bytes copied at a time
ERRORS_OF_BROKEN_ARCHIVES = (
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
# On a broken archive, libraries also raise an OSError with one of these numbers. Any other number
# is an error of the disk.
ERRNOS_OF_BROKEN_ARCHIVES = (None, errno.EINVAL)

Members = Iterator[tuple[str, IO[bytes]]]  # the name of each file and its content
Uncompressed = gzip.GzipFile | BufferedReader


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an archive, unless its folder is there and up to date, and returns the folder.

    Raises DataError where the archive is damaged or holds anything but regular files inside the
    folder.
    """
    job = Job("unpack", folder, flags={}, inputs={"archive": archive}).of_folder()

    def copy_members(part: Path) -> None:
        try:
            _copy_members(archive, part)
        except (*ERRORS_OF_BROKEN_ARCHIVES, OSError) as error:
            if isinstance(error, OSError) and not _means_broken_archive(error):
                raise
            raise DataError(
                f"{archive}: expected a complete tar or zip archive, got {error}"
            ) from None

    job.run(copy_members)
    return folder


def _means_broken_archive(error: OSError) -> bool:
    """Returns whether an error says that the archive is broken; others are the disk's."""
    is_gzip_error = isinstance(error, ERRORS_OF_BROKEN_ARCHIVES)
    return is_gzip_error or error.errno in ERRNOS_OF_BROKEN_ARCHIVES


def _copy_members(archive: Path, part: Path) -> None:
    written = set()
    members = _tar_members(archive) if tarfile.is_tarfile(archive) else _zip_members(archive)
    for name, content in members:
        target = part / _path_inside(name, archive)
        if target in written:
            raise DataError(f"{archive}: expected each file once, got {name!r} again")
        written.add(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            output = target.open("wb")
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise DataError(
                f"{archive}: expected a file or a folder by one name, got both, {name!r}"
            ) from None
        with output:
            shutil.copyfileobj(content, output, BLOCK)


def _path_inside(name: str, archive: Path) -> PurePosixPath:
    """Returns a member's path.

    Raises DataError where it leaves the folder or is a file of the job's.
    """
    path = PurePosixPath(name)
    leaves_folder = path.is_absolute() or ".." in path.parts or not path.parts
    if leaves_folder or "\\" in name or "\0" in name:
        raise DataError(f"{archive}: expected names inside the folder, got {name!r}")
    if str(path) in (JOB, MANIFEST):
        raise DataError(
            f"{archive}: expected other names than our own {JOB} and {MANIFEST}, got {name!r}"
        )
    return path


class LastReadStream:
    """A stream that remembers the bytes of the last `read`."""

    def __init__(self, stream: Uncompressed):
        self.stream = stream
        self.seek = stream.seek
        self.tell = stream.tell
        self.last_read = b""

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes, as a file does."""
        self.last_read = self.stream.read(size)
        return self.last_read


def _tar_members(archive: Path) -> Members:
    with _open_uncompressed(archive) as file:
        stream = LastReadStream(file)
        # The stubs ask for `write` and `close`, which tarfile does not call when it reads.
        with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
            yield from _regular_members(tar, archive)
        # tarfile takes a header that is cut off or damaged for the end of the archive: the end is
        # zeros.
        if not stream.last_read or stream.last_read.strip(b"\0"):
            raise DataError(
                f"{archive}: expected a complete tar or zip archive, got one without its end"
            )
        while rest := file.read(BLOCK):  # to the last byte, where gzip checks its sum
            if rest.strip(b"\0"):
                raise DataError(
                    f"{archive}: expected the end of the archive, got more after its last member"
                )


def _open_uncompressed(archive: Path) -> Uncompressed:
    """Opens a tar archive, whether it is gzipped or not."""
    with archive.open("rb") as file:
        is_gzip = file.read(len(GZIP_MARK)) == GZIP_MARK
    return gzip.open(archive, "rb") if is_gzip else archive.open("rb")


def _regular_members(tar: tarfile.TarFile, archive: Path) -> Members:
    for member in tar:
        if member.isdir():
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            kind = "a link" if member.issym() or member.islnk() else "a device"
            raise DataError(f"{archive}: expected regular files, got {kind}, {member.name!r}")
        yield member.name, content


def _zip_members(archive: Path) -> Members:
    with zipfile.ZipFile(archive) as zip_file:
        for member in zip_file.infolist():
            if member.is_dir():
                continue
            file_type = stat.S_IFMT(member.external_attr >> 16)
            is_regular = file_type in (0, stat.S_IFREG)  # 0: the archive records no types
            is_encrypted = member.flag_bits & 1
            if not is_regular or is_encrypted:
                raise DataError(
                    f"{archive}: expected regular files in clear, got {member.filename!r}"
                )
            with zip_file.open(member) as content:
                yield member.filename, content
