"""One HTTP request that appends to a partial file the bytes that are missing.

What has been received lies in `NAME.partial`; `NAME.partial.json` notes the URL, the validator
(what identifies this version of the file: a strong ETag, or the date of its last change) and the
announced length of the whole file. The rest is asked for with the headers Range and If-Range. The
file is begun again where the server ignores them, has another version by now, or sends other bytes
than were asked for.
"""

import http.client
import json
import re
import urllib.request
from email.message import Message
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object, write_atomically
from rocketqa.jobs.progress import bar

BLOCK = 1 << 18  # bytes read at a time
LONGEST_SHOWN = 200  # characters of a server's message in an error
COUNT = r"(\d{1,18})"  # a number of bytes in a header
CONTENT_RANGE = re.compile(f"bytes {COUNT}-{COUNT}/{COUNT}")
GZIPPED = (".gz", ".tgz")
UNCODED = ("", "identity")


class Source(NamedTuple):
    """A published file and what is known about it.

    size: in bytes. headers: that its server needs.
    """

    url: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name of the file on disk: the last part of the URL."""
        path = self.url.split("?")[0].rstrip("/")
        return path.rsplit("/", 1)[-1]


class PartialFile:
    """The received bytes of a source, in a file open for appending, and the note about them."""

    def __init__(self, source: Source, file: BinaryIO, note: Path):
        self.source = source
        self.file = file
        self.note = note

    @property
    def received(self) -> int:
        """How many bytes are there."""
        return self.file.tell()

    def announced(self) -> dict:
        """Returns what the server announced of these bytes: url, validator and size.

        The result is empty where nothing is known.
        """
        note = read_object(self.note)
        return note if note.get("url") == self.source.url else {}

    def empty(self) -> None:
        """Removes all bytes."""
        self.file.truncate(0)
        self.file.seek(0)

    def begin(self, validator: str | None, size: int | None) -> None:
        """Removes all bytes and notes what the server announces of the file that follows."""
        self.empty()
        note = {"url": self.source.url, "validator": validator, "size": size}
        write_atomically(self.note, json.dumps(note))


def receive(partial: PartialFile, timeout: float) -> int | None:
    """Appends what one request gives, and returns the announced length of the whole file.

    The length is None where the server announces none. Raises DataError where another request would
    not help, and errors of `urllib` and `http.client` where it may.
    """
    source = partial.source
    with _open_url(partial, timeout) as response:
        if response.status == http.client.PARTIAL_CONTENT:
            size: int | None = _length_of_rest(response.headers, partial)
        elif response.status == http.client.OK:
            size = _length_of_whole(response, source)
            partial.begin(_validator(response.headers), size)
        else:
            raise DataError(f"{source.url}: expected the file, got HTTP status {response.status}")
        if source.size and size != source.size:
            raise DataError(f"{source.url}: expected {source.size} bytes, got {size} announced")
        _append(response, partial, size)
    return size


def _open_url(partial: PartialFile, timeout: float) -> http.client.HTTPResponse:
    """Asks for the rest of the file where its version is known, else for the whole file."""
    source = partial.source
    headers = {"User-Agent": "rocketqa"} | dict(source.headers)
    validator = partial.announced().get("validator")
    if partial.received and validator:
        headers["Range"] = f"bytes={partial.received}-"
        headers["If-Range"] = str(validator)
    try:
        request = urllib.request.Request(source.url, headers=headers)
        return urllib.request.urlopen(request, timeout=timeout)
    except http.client.HTTPException:  # some of these are ValueErrors, too
        raise
    except ValueError as error:
        raise DataError(f"{source.url}: expected a URL, got {error}") from None


def _length_of_rest(headers: Message, partial: PartialFile) -> int:
    """Returns the length of the whole file, the rest of which follows.

    Where other bytes follow than were asked for, empties the file and raises HTTPException.
    """
    content_range = headers.get("Content-Range", "")
    announced = partial.announced()
    size = announced.get("size")
    got = content_range
    match = CONTENT_RANGE.fullmatch(content_range)
    if match:
        first, _, length = map(int, match.groups())
        if first == partial.received and length == (size or length):
            if _is_same_version(headers, str(announced.get("validator") or "")):
                return length
            got = "those of another version"
    received = partial.received
    partial.empty()
    raise http.client.HTTPException(f"other bytes than from {received} of {size}: {got}")


def _is_same_version(headers: Message, validator: str) -> bool:
    """Returns whether an answer is of this version; without that header it counts as such."""
    header = "ETag" if validator.startswith('"') else "Last-Modified"
    return headers.get(header, validator) == validator


def _length_of_whole(response: http.client.HTTPResponse, source: Source) -> int | None:
    """Returns the announced length of a file that follows as a whole.

    The length is None where the end is marked otherwise. Raises DataError where the file comes in
    another form, and HTTPException where it is empty, or where its length cannot be
    checked.
    """
    coding = printable(response.headers.get("Content-Encoding", ""))
    if coding.lower() not in UNCODED and not source.name.endswith(GZIPPED):
        raise DataError(f"{source.url}: expected the file as it is, got it encoded as {coding}")
    length = response.headers.get("Content-Length", "")
    size = source.size
    if re.fullmatch(COUNT, length):
        size = int(length)
    if size == 0:
        raise http.client.HTTPException("an empty one")
    if not (size or response.chunked or source.md5 or source.sha256):
        raise http.client.HTTPException("an answer without its length")
    return size


def _validator(headers: Message) -> str | None:
    """Returns what identifies this version of the file, None where there is nothing."""
    etag = headers.get("ETag")
    if etag and not etag.startswith("W/"):  # a weak ETag allows other bytes
        return etag
    return headers.get("Last-Modified")


def _append(response: http.client.HTTPResponse, partial: PartialFile, size: int | None) -> None:
    """Appends the answer's bytes; stops after the first block beyond the announced length."""
    name = partial.source.name
    begin = partial.received
    progress = bar(total=size, initial=begin, unit="B", unit_scale=True, desc=name)
    with progress:
        while size is None or partial.received <= size:
            block = response.read1(BLOCK)
            if not block:
                return
            partial.file.write(block)
            progress.update(len(block))


def printable(message: object) -> str:
    """Returns a message of a server or library in one line that a terminal can show."""
    text = str(message)
    unprintable = {ord(character): " " for character in text if not character.isprintable()}
    words = text.translate(unprintable).split()
    return " ".join(words)[:LONGEST_SHOWN]
