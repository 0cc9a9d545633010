"""A file over HTTP, which is complete or absent.

After a dropped connection, a stall or a kill only the rest of the file is asked for, see
`partial_download`. Drops, stalls, 5xx and 429 are tried again after growing pauses as long as there
is progress; everything else ends with one line. Size and digests are checked where they are known,
and recorded in `NAME.meta.json` where they are not. Where neither length nor digest is known, an
answer without a length could be a part of the file: it is refused.
"""

import fcntl
import hashlib
import http.client
import json
import os
import ssl
import time
import urllib.error
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object, write_atomically
from rocketqa.jobs.durable import put_in_place
from rocketqa.jobs.partial_download import PartialFile, Source, printable, receive

BLOCK = 1 << 20  # bytes hashed at a time
LONGEST_PAUSE = 60.0  # seconds
RANGE_NOT_SATISFIABLE = 416  # the server's file ends before the bytes that were asked for
WORTH_ANOTHER_TRY = (408, RANGE_NOT_SATISFIABLE, 429, 500, 502, 503, 504)
LOST_CONNECTION = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)
KNOWN = ("size", "md5", "sha256")  # what may be known about a file


class Patience(NamedTuple):
    """How long to wait for a server.

    timeout: seconds without a byte. tries: requests without progress. pause: seconds before the
    second try, doubled before each further one.
    """

    timeout: float = 60.0
    tries: int = 6
    pause: float = 1.0


PATIENT = Patience()


def fetch(source: Source, path: Path, patience: Patience = PATIENT) -> Path:
    """Downloads a file to `path`, unless it is there, and returns the path.

    Raises DataError where the file cannot be downloaded, or has another size or digest than is
    known.
    """
    if not source.url.startswith(("http://", "https://")):
        raise DataError(f"{source.url}: expected a URL of http or https, got another")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        _check_again(source, path)
        return path
    unfinished = path.with_name(f"{path.name}.partial")
    note = path.with_name(f"{path.name}.partial.json")
    with unfinished.open("ab", buffering=0) as file:
        _lock(file, unfinished)
        partial = PartialFile(source, file, note)
        if not partial.received or partial.announced().get("size") != partial.received:
            _receive_all(partial, patience)
        try:
            _check_new(source, unfinished, path)
        except DataError:
            partial.empty()
            raise
        put_in_place(unfinished, path)
    note.unlink(missing_ok=True)
    return path


def _check_new(source: Source, downloaded: Path, path: Path) -> None:
    """Raises DataError where a download is not the published file; records its digests."""
    _check(downloaded, _known_about(source), source.url, path)


def _check_again(source: Source, path: Path) -> None:
    """Raises DataError where a file is not the published one, or not the one that was recorded."""
    known = read_object(_record_of(path)) | _known_about(source)
    _check(path, known, str(path), path)


def _known_about(source: Source) -> dict[str, object]:
    return {name: value for name, value in source._asdict().items() if value}


def _check(file: Path, known: dict[str, object], place: str, path: Path) -> None:
    """Compares a file with what is known, and records size and digests beside `path`."""
    size = file.stat().st_size
    found: dict[str, object] = {"size": size}
    if known.get("size", size) == size:
        found |= digests(file)
    for name in KNOWN:
        if name in known and found.get(name) != known[name]:
            raise DataError(f"{place}: expected {name} {known[name]}, got {found[name]}")
    url = known["url"]
    write_atomically(_record_of(path), json.dumps({"url": url, **found}, indent=1) + "\n")


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.meta.json")


def digests(path: Path) -> dict[str, str]:
    """Returns the md5 and sha256 of a file, which is read once."""
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            md5.update(block)
            sha256.update(block)
    return {"md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


def _lock(file: BinaryIO, unfinished: Path) -> None:
    """Takes the lock of a partial file.

    Raises DataError where another process has it, or had it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{unfinished}: expected to fetch it alone, got another process that does"
        ) from None
    is_there = unfinished.is_file()
    if not is_there or unfinished.stat().st_ino != os.fstat(file.fileno()).st_ino:
        raise DataError(
            f"{unfinished}: expected to fetch it alone, "
            "got it finished by another process: call again"
        )


def _receive_all(partial: PartialFile, patience: Patience) -> None:
    """Sends requests until the file is as long as announced.

    Raises DataError after `tries` without progress.
    """
    url = partial.source.url
    longest = partial.received
    failures = 0
    problem = ""
    while True:
        try:
            size = receive(partial, patience.timeout)
            if size is None or partial.received == size:
                return
            problem = f"expected {size} bytes, got {partial.received}"
            if partial.received > size:
                partial.empty()
        except urllib.error.HTTPError as error:
            status = f"expected the file, got HTTP status {error.code} {printable(error.reason)}"
            if error.code not in WORTH_ANOTHER_TRY:
                raise DataError(f"{url}: {status}") from None
            if error.code == RANGE_NOT_SATISFIABLE:
                partial.empty()
            problem = problem or status
        except LOST_CONNECTION as error:
            reason = printable(getattr(error, "reason", error))
            problem = f"expected the file, got {reason or type(error).__name__}"
        failures = 1 if partial.received > longest else failures + 1
        longest = max(longest, partial.received)
        if failures > patience.tries:
            raise DataError(f"{url}: {problem}")
        pause = patience.pause * 2 ** (failures - 1)
        time.sleep(min(pause, LONGEST_PAUSE))
