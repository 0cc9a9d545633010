"""Readers of source files: rows, ids and texts in the form in which others published them.

A source file is UTF-8 and tab-separated or a JSON object a line, gzipped if its name ends in `.gz`.
Its lines may end in CRLF; a carriage return within a text becomes a space. Every file is read line
by line. The memory that grows with the file is eight bytes a row, for the ids.
"""

import gzip
import io
import re
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError, Fault, raise_fault
from rocketqa.files.git_lfs import refuse_git_lfs_pointer
from rocketqa.files.json_files import JsonObject, parse_json_object
from rocketqa.files.rows import file_fault, is_valid_id, wrong_in_id
from rocketqa.jobs.progress import bar

BinaryStream = io.BufferedReader | gzip.GzipFile

HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # JSON can escape one; UTF-8 cannot hold it
BUFFER = 1 << 20  # bytes read from the disk at a time


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryStream]:
    """Gives the file opened for reading bytes, decompressed if it is gzipped.

    Raises DataError if there is no such file, for a Git LFS pointer, and for a cut gzip file or
    bytes that are not UTF-8 found by the code that reads.
    """
    fault = file_fault(path)
    if fault:
        raise fault
    refuse_git_lfs_pointer(path, "a source file")
    with _opened(path) as file:
        try:
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path}: expected a whole gzip file, got {error}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected UTF-8, got {error.reason}") from None


def _opened(path: Path) -> BinaryStream:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return io.BufferedReader(io.FileIO(path), BUFFER)


def read_foreign(
    path: Path,
    widths: tuple[int, ...] | None,
    on_fault: Callable[[Fault], None] = raise_fault,
) -> Iterator[tuple[str, list[str]]]:
    """Yields (`file:line`, columns) of each line.

    widths: the numbers of columns that are allowed; None allows any number. on_fault: gets the
    fault of a line that is not UTF-8, which is skipped where it returns.

    Raises DataError for another number of columns and for bytes that are not UTF-8.
    """
    with open_bytes(path) as lines:
        progress = bar(lines, desc=path.name, unit=" rows", unit_scale=True)
        for number, line in enumerate(progress, 1):
            place = f"{path}:{number}"
            try:
                text = _decoded(line, place)
            except Fault as fault:
                on_fault(fault)
                continue
            columns = text.split("\t")
            if widths and len(columns) not in widths:
                expected = " or ".join(map(str, widths))
                raise DataError(f"{place}: expected {expected} columns, got {len(columns)}")
            yield place, columns


def _decoded(line: bytes, place: str) -> str:
    """Returns the text of a line without its end, each carriage return within it a space."""
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        got = f"byte {line[error.start]:#04x} at {error.start}"
        raise Fault("UTF-8", place, "UTF-8", got) from None
    if "\r" in text:
        return text.replace("\r", " ")
    return text


def read_objects(path: Path) -> Iterator[JsonObject]:
    """Yields the JSON object of each line; its place is `file:line`.

    Raises DataError for a line that is something else.
    """
    with open_bytes(path) as lines:
        progress = bar(lines, desc=path.name, unit=" rows", unit_scale=True)
        for number, line in enumerate(progress, 1):
            yield parse_json_object(line, f"{path}:{number}")


def id_field(record: JsonObject, name: str) -> str:
    """Returns an id of a JSON object. Raises DataError if it is empty or has spaces."""
    return identifier(id_text(record, name), str(record.place), name)


def id_text(record: JsonObject, name: str) -> str:
    """Returns a field that is a text or a whole number. Raises DataError for anything else."""
    value = record.fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return record.require(name, str)


def text_field(record: JsonObject, name: str) -> str:
    """Returns a text with tabs and line ends as spaces; nothing if it is missing, null or blank.

    Raises DataError for half a character of UTF-16.
    """
    if record.fields.get(name) is None:
        return ""
    text = record.require(name, str)
    if half := HALF_CHARACTER.search(text):
        raise record.fault(f"whole characters for {name}", ascii(half[0]))
    return "" if text.isspace() else without_breaks(text)


def identifier(value: str, place: str, name: str) -> str:
    """Returns the id `value`. Raises DataError if it is empty or has spaces or NUL."""
    if not is_valid_id(value):
        wrong = wrong_in_id(value)
        raise DataError(f"{place}: expected a {name} without {wrong}, got {value!r}")
    return value


def one_line(text: str, place: str) -> str:
    """Returns a text with tabs and line ends as spaces. Raises DataError if nothing is left."""
    text = without_breaks(text)
    if not text or text.isspace():
        raise DataError(f"{place}: expected a text, got an empty one")
    return text


def without_breaks(text: str) -> str:
    """Returns a text with tabs and line ends as spaces."""
    if "\t" in text or "\n" in text or "\r" in text:
        return text.replace("\t", " ").replace("\n", " ").replace("\r", " ")
    return text


class IdColumn:
    """The ids of a file as 64-bit hashes, so that a repeated id among millions is found."""

    def __init__(self, path: Path, first_line: int = 1):
        """`first_line` is the line of the first id, counted from 1."""
        self.path = path
        self.first_line = first_line
        self.hashes = array("q")

    def add(self, value: str) -> None:
        """Adds the id of the next row."""
        self.hashes.append(hash(value))

    def repeated(self) -> set[int]:
        """Returns the hashes that occur more than once."""
        ordered = np.sort(np.array(self.hashes, np.int64))
        is_repeated = ordered[1:] == ordered[:-1]
        return set(ordered[1:][is_repeated].tolist())

    def refuse_repeated(self) -> None:
        """Raises DataError if an id occurs twice; names the first row that repeats one."""
        if not self.hashes:
            return
        hashes = np.frombuffer(self.hashes, np.int64)
        ordered = np.sort(hashes)
        if not (ordered[1:] == ordered[:-1]).any():
            return
        order = np.argsort(hashes, kind="stable")  # rows with equal ids stand in file order
        in_order = hashes[order]
        repeated = np.flatnonzero(in_order[1:] == in_order[:-1])
        first = repeated[order[repeated + 1].argmin()]
        earlier, later = order[first : first + 2] + self.first_line
        raise DataError(
            f"{self.path}:{later}: expected each id once, got that of line {earlier} again"
        )
