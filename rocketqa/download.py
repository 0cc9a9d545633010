"""A file over HTTP so that it is whole or not there.

What has come lies in `NAME.partial`, with the server's validator and the length it announced in `NAME.partial.json`:
after a drop, a stall or a kill -9 the rest alone is asked for (Range, If-Range). A server that ignores Range, or has
another version by now, sends the whole, and the file is begun anew. Drops, stalls, 5xx and 429 are tried again with
growing pauses, as often as there is progress; everything else ends in one line. Size and digests are checked where they
are known, and written into `NAME.meta.json` where not.
"""
import fcntl
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rocketqa.artefacts import write_atomically
from rocketqa.formats import DataError
from rocketqa.progress import bar

BLOCK = 1 << 18
WORTH_ANOTHER_TRY = (408, 416, 429, 500, 502, 503, 504)
DROPPED = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


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
    partial, state = path.with_name(f"{path.name}.partial"), path.with_name(f"{path.name}.partial.json")
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
    known = {name: value for name, value in source._asdict().items() if name in ("size", "md5", "sha256") and value}
    if not final and record.is_file():
        written = json.loads(record.read_text(encoding="utf-8"))
        known = {name: written[name] for name in ("size", "md5", "sha256") if name in written} | known
    found = {"size": path.stat().st_size}
    if known.get("size", found["size"]) == found["size"]:
        found |= digests(path)
    for name, value in known.items():
        if found.get(name) != value:
            raise DataError(f"{source.url if final else path}: expected {name} {value}, got {found[name]}")
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
        raise DataError(f"{partial}: expected to fetch it alone, got another process that does") from None
    if not partial.is_file() or partial.stat().st_ino != os.fstat(file.fileno()).st_ino:
        raise DataError(f"{partial}: expected to fetch it alone, got it finished by another process: call again")


def _announced(source: Source, state: Path) -> dict:
    """Returns what the server said of the bytes that are there: url, validator, size; empty where unknown."""
    try:
        said = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
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
        except urllib.error.HTTPError as error:
            told = f"expected the file, got HTTP status {error.code} {error.reason}"
            if error.code not in WORTH_ANOTHER_TRY:
                raise DataError(f"{source.url}: {told}") from None
            if error.code == 416:  # the server's file ends before the place to go on from
                _empty(file)
            problem = problem or told
        except DROPPED as error:
            told = " ".join(str(getattr(error, "reason", error)).split())
            problem = f"expected the file, got {told or type(error).__name__}"
        failures = 1 if file.tell() > best else failures + 1
        best = max(best, file.tell())
        if failures > patience.tries:
            raise DataError(f"{source.url}: {problem}")
        time.sleep(min(patience.pause * 2 ** (failures - 1), 60))


def _receive(source: Source, file: BinaryIO, state: Path, timeout: float) -> int | None:
    """Appends what one request gives and returns the announced length of the whole file, None where there is none."""
    start, said = file.tell(), _announced(source, state)
    headers = {"User-Agent": "rocketqa", **dict(source.headers)}
    if start and said.get("validator"):
        headers |= {"Range": f"bytes={start}-", "If-Range": said["validator"]}
    request = urllib.request.Request(source.url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        if response.status == 206:
            size = _size_of_range(response.headers.get("Content-Range", ""), start, said.get("size"))
            if not size:
                _empty(file)
                told = response.headers.get("Content-Range")
                raise DataError(f"{source.url}: expected bytes from {start} of {said.get('size')}, got {told}")
        elif response.status != 200:
            raise DataError(f"{source.url}: expected the file, got HTTP status {response.status}")
        else:
            size = response.headers.get("Content-Length")
            size = int(size) if size and size.isdecimal() else None
            _empty(file)
            write_atomically(state, json.dumps({
                "url": source.url, "validator": _validator(response.headers), "size": size}))
        if source.size and size and size != source.size:
            raise DataError(f"{source.url}: expected {source.size} bytes, got {size} announced")
        _copy(response, file, size, source.name)
    return size


def _validator(headers) -> str | None:
    """Returns what tells this version of the file from others: a strong ETag, else the date of its last change."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _size_of_range(told: str, start: int, size: int | None) -> int | None:
    """Returns the length of the whole file as `Content-Range: bytes 5-9/10` has it, None where it does not fit."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", told)
    fits = found and int(found[1]) == start and int(found[2]) == (size or int(found[2]))
    return int(found[2]) if fits else None


def _copy(response, file: BinaryIO, size: int | None, name: str) -> None:
    with bar(total=size, initial=file.tell(), unit="B", unit_scale=True, desc=name) as progress:
        while block := response.read1(BLOCK):
            file.write(block)
            progress.update(len(block))
