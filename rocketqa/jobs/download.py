"""A file over HTTP so that it is whole or not there.

What has come lies in `NAME.partial`, with the server's validator and the length it announced in `NAME.partial.json`:
after a drop, a stall or a kill -9 the rest alone is asked for (Range, If-Range). A server that ignores Range, or has
another version by now, sends the whole, and the file is begun anew; so it is where an answer has other bytes than were
asked for, or those of another version. Drops, stalls, 5xx and 429 are tried again with growing pauses, as often as
there is progress; everything else ends in one line. Size and digests are checked where they are known, and written into
`NAME.meta.json` where not. Where nothing is known, an answer without a length could be a half: it is not taken.
"""

import fcntl
import hashlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object, write_atomically
from rocketqa.jobs.progress import bar

BLOCK = 1 << 18
WORTH_ANOTHER_TRY = (408, 416, 429, 500, 502, 503, 504)
DROPPED = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)
COUNT = r"(\d{1,18})"


class Source(NamedTuple):
    """A published file, with what is known of it; `name` is what it is called on disk."""

    url: str
    size: int | None = None  # bytes
    md5: str | None = None
    sha256: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return self.url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]


class Patience(NamedTuple):
    """How long to wait for a server: seconds of silence, tries without progress, seconds of the first pause."""

    timeout: float = 60.0
    tries: int = 6
    pause: float = 1.0


PATIENT = Patience()


def fetch(source: Source, path: Path, patience: Patience = PATIENT) -> Path:
    """Returns the path with the whole file behind it. Raises DataError where there is none to be had."""
    if not source.url.startswith(("http://", "https://")):
        raise DataError(f"{source.url}: expected a URL of http or https, got another")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        check(source, path)
        return path
    partial, state = (
        path.with_name(f"{path.name}.partial"),
        path.with_name(f"{path.name}.partial.json"),
    )
    with partial.open("ab", buffering=0) as file:
        _lock(file, partial)
        if _announced(source, state).get("size") != file.tell() or not file.tell():
            _fill(source, file, state, patience)
        os.fsync(file.fileno())
        try:
            check(source, partial, path)
        except DataError:
            _empty(file)
            raise
        os.replace(partial, path)
    state.unlink(missing_ok=True)
    return path


def check(source: Source, path: Path, final: Path | None = None) -> None:
    """Refuses a file that is not the source as published or as recorded; records it at the first time.

    `final` is the name that the record is kept under, where the file does not have it yet.
    """
    record = (final or path).with_name(f"{(final or path).name}.meta.json")
    said = ({} if final else read_object(record)) | {
        name: value for name, value in source._asdict().items() if value
    }
    known = {name: said[name] for name in ("size", "md5", "sha256") if name in said}
    found = {"size": path.stat().st_size}
    if known.get("size", found["size"]) == found["size"]:
        found |= digests(path)
    for name, value in known.items():
        if found.get(name) != value:
            raise DataError(
                f"{source.url if final else path}: expected {name} {value}, got {found[name]}"
            )
    write_atomically(record, json.dumps({"url": source.url, **found}, indent=1) + "\n")


def digests(path: Path) -> dict[str, str]:
    """Returns the md5 and sha256 of a file, read once."""
    sums = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            for digest in sums.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in sums.items()}


def _lock(file: BinaryIO, partial: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{partial}: expected to fetch it alone, got another process that does"
        ) from None
    if not partial.is_file() or partial.stat().st_ino != os.fstat(file.fileno()).st_ino:
        raise DataError(
            f"{partial}: expected to fetch it alone, got it finished by another process: call again"
        )


def _announced(source: Source, state: Path) -> dict:
    """Returns what the server said of the bytes that are there: url, validator, size; empty where unknown."""
    said = read_object(state)
    return said if said.get("url") == source.url else {}


def _empty(file: BinaryIO) -> None:
    file.truncate(0)
    file.seek(0)


def _fill(source: Source, file: BinaryIO, state: Path, patience: Patience) -> None:
    """Appends until the file is as long as announced. Raises DataError after `tries` without progress."""
    best, failures, problem = file.tell(), 0, ""
    while True:
        try:
            size = _receive(source, file, state, patience.timeout)
            if size is None or file.tell() == size:
                return
            problem = f"expected {size} bytes, got {file.tell()}"
            if file.tell() > size:
                _empty(file)
        except urllib.error.HTTPError as error:
            told = f"expected the file, got HTTP status {error.code} {_told(error.reason)}"
            if error.code not in WORTH_ANOTHER_TRY:
                raise DataError(f"{source.url}: {told}") from None
            if error.code == 416:  # the server's file ends before the place to go on from
                _empty(file)
            problem = problem or told
        except DROPPED as error:
            problem = f"expected the file, got {_told(getattr(error, 'reason', error)) or type(error).__name__}"
        failures = 1 if file.tell() > best else failures + 1
        best = max(best, file.tell())
        if failures > patience.tries:
            raise DataError(f"{source.url}: {problem}")
        time.sleep(min(patience.pause * 2 ** (failures - 1), 60))


def _told(reason: object) -> str:
    """Returns what a server or library said, in one line that a terminal can show."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(reason)).split())[
        :200
    ]


def _receive(source: Source, file: BinaryIO, state: Path, timeout: float) -> int | None:
    """Appends what one request gives and returns the announced length of the whole file, None where there is none."""
    start, said = file.tell(), _announced(source, state)
    headers = {"User-Agent": "rocketqa", **dict(source.headers)}
    if start and said.get("validator"):
        headers |= {"Range": f"bytes={start}-", "If-Range": str(said["validator"])}
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(source.url, headers=headers), timeout=timeout
        )
    except http.client.HTTPException:
        raise
    except ValueError as error:
        raise DataError(f"{source.url}: expected a URL, got {error}") from None
    with answer as response:
        if response.status == 206:
            size = _continued(response.headers, file, said)
        elif response.status == 200:
            size = _begun(response, source, file, state)
        else:
            raise DataError(f"{source.url}: expected the file, got HTTP status {response.status}")
        if source.size and size != source.size:
            raise DataError(f"{source.url}: expected {source.size} bytes, got {size} announced")
        _copy(response, file, size, source.name)
    return size


def _continued(headers: Message, file: BinaryIO, said: dict) -> int:
    """Returns the length of the whole file whose rest begins. Otherwise empties the file and raises HTTPException."""
    start, told = file.tell(), headers.get("Content-Range", "")
    found = re.fullmatch(f"bytes {COUNT}-{COUNT}/{COUNT}", told)
    if found and int(found[1]) == start and int(found[3]) == (said.get("size") or int(found[3])):
        validator = str(said.get("validator") or "")
        if (
            headers.get("ETag" if validator.startswith('"') else "Last-Modified", validator)
            == validator
        ):
            return int(found[3])
        told = "those of another version"
    _empty(file)
    raise http.client.HTTPException(f"other bytes than from {start} of {said.get('size')}: {told}")


def _begun(
    response: http.client.HTTPResponse, source: Source, file: BinaryIO, state: Path
) -> int | None:
    """Empties the file for an answer with all of it, notes what the answer says, and returns the announced length."""
    coding, length = (
        _told(response.headers.get("Content-Encoding", "")),
        response.headers.get("Content-Length", ""),
    )
    if coding.lower() not in ("", "identity") and not source.name.endswith((".gz", ".tgz")):
        raise DataError(f"{source.url}: expected the file as it is, got it encoded as {coding}")
    size = int(length) if re.fullmatch(COUNT, length) else source.size
    if size == 0 or not (size or response.chunked or source.md5 or source.sha256):
        raise http.client.HTTPException(
            "an empty one" if size == 0 else "an answer without its length"
        )
    _empty(file)
    write_atomically(
        state,
        json.dumps({"url": source.url, "validator": _validator(response.headers), "size": size}),
    )
    return size


def _validator(headers) -> str | None:
    """Returns what tells this version of the file from others: a strong ETag, else the date of its last change."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _copy(response, file: BinaryIO, size: int | None, name: str) -> None:
    with bar(total=size, initial=file.tell(), unit="B", unit_scale=True, desc=name) as progress:
        while (size is None or file.tell() <= size) and (block := response.read1(BLOCK)):
            file.write(block)
            progress.update(len(block))
