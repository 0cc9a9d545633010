"""A tar or zip archive of regular files, unpacked.

Nothing leaves the folder: an absolute name, `..`, a link or a device ends the whole in one line, and no folder is left.
Owners, modes and dates stay in the archive. Made as an artefact: whole, with a manifest, or not there.
"""

import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rocketqa.files.errors import DataError
from rocketqa.jobs.job import JOB, MANIFEST, Job
from rocketqa.jobs.paths import InputPath, OutputPath

GZIP = b"\x1f\x8b"
BROKEN = (
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)


def unpack(archive: Path, folder: Path) -> Path:
    """Returns the folder with the archive's files in it."""
    job = Job("unpack", Namespace(output=OutputPath(folder), archive=InputPath(archive)))
    if job.status_if_done(check=False) is None:
        with job as part:
            _copy_members(archive, part)
    return folder


def _copy_members(archive: Path, part: Path) -> None:
    made = set()
    try:
        for name, file in (
            _tar_members(archive) if tarfile.is_tarfile(archive) else _zip_members(archive)
        ):
            target = part / _inside(name, archive)
            if target in made:
                raise DataError(f"{archive}: expected each file once, got {name!r} again")
            made.add(target)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                output = target.open("wb")
            except (FileExistsError, IsADirectoryError, NotADirectoryError):
                raise DataError(
                    f"{archive}: expected a file or a folder by one name, got both, {name!r}"
                ) from None
            with output:
                shutil.copyfileobj(file, output, 1 << 20)
    except (*BROKEN, OSError) as error:
        if not isinstance(error, BROKEN) and error.errno not in (
            None,
            errno.EINVAL,
        ):  # the disk's, not the archive's
            raise
        raise DataError(f"{archive}: expected a whole tar or zip archive, got {error}") from None


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Returns the member's name where it stays in the folder and leaves the artefact's own files alone."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\0" in name:
        raise DataError(f"{archive}: expected names inside the folder, got {name!r}")
    if str(path) in (JOB, MANIFEST):
        raise DataError(
            f"{archive}: expected other names than our own {JOB} and {MANIFEST}, got {name!r}"
        )
    return path


class LastRead:
    """A stream that keeps what was last read of it."""

    def __init__(self, stream: BinaryIO):
        self.stream, self.seek, self.tell, self.last = stream, stream.seek, stream.tell, b""

    def read(self, size: int) -> bytes:
        """Reads on."""
        self.last = self.stream.read(size)
        return self.last


def _tar_members(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    with archive.open("rb") as file:
        packed = file.read(2) == GZIP
    with (gzip.open if packed else open)(archive, "rb") as file:
        stream = LastRead(file)
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            yield from _regular_members(tar, archive)
        if not stream.last or stream.last.strip(
            b"\0"
        ):  # tarfile takes a cut or damaged header for the end
            raise DataError(
                f"{archive}: expected a whole tar or zip archive, got one without its end"
            )
        while rest := file.read(1 << 20):  # gzip checks its sum at the end
            if rest.strip(b"\0"):
                raise DataError(
                    f"{archive}: expected the end of the archive, got more after its last member"
                )


def _regular_members(tar: tarfile.TarFile, archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    for member in tar:
        if not member.isdir():
            if not member.isreg():
                kind = "a link" if member.issym() or member.islnk() else "a device"
                raise DataError(f"{archive}: expected regular files, got {kind}, {member.name!r}")
            yield member.name, tar.extractfile(member)


def _zip_members(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(archive) as box:
        for member in box.infolist():
            if not member.is_dir():
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG) or member.flag_bits & 1:
                    raise DataError(
                        f"{archive}: expected regular files in clear, got {member.filename!r}"
                    )
                with box.open(member) as file:
                    yield member.filename, file
