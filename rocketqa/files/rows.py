"""Lines of tab-separated files -> rows of columns, and all that can be wrong with a line.

A fault goes to the `report` of the reader's Check. The verbs' report refuses: it raises the first. That of `rocketqa
validate` notes it and lets the reader go on: there is one reader and no second opinion. A row that cannot be read
(wrong columns, not UTF-8) is then cut or filled up to its columns and says no more, so that one fault is named once.
"""

import math
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import Fault, refuse


class Check(NamedTuple):
    """What a reader holds its rows against, and who hears of a fault. None: nothing is known, so nothing is amiss."""

    report: Callable[[Fault], None] = refuse
    query_ids: Container[str] | None = None  # that a row may name
    passage_ids: Container[str] | None = None  # that a row may name
    positives: Mapping[str, Container[str]] = {}  # query_id -> passages that are no negatives of it
    training: Mapping[
        str, str
    ] = {}  # text (see same_text) -> query_id of the queries that are trained on
    training_ids: Container[str] = ()


FIRST_FAULT = Check()  # raises the first one


def is_id(value: str) -> bool:
    """Returns whether a value can be an id: it is not empty and has no spaces."""
    return value.split() == [value]


class Row:
    """A line's columns and where it stands. Its checks return what they have read, or None after a fault.

    end: bytes from the first line that was read to the end of this one.
    """

    __slots__ = ("path", "number", "columns", "check", "silent", "end")

    def __init__(self, path: Path, number: int, check: Check, end: int = 0):
        self.path, self.number, self.check, self.end = path, number, check, end
        self.columns: list[str] = []
        self.silent = False

    @property
    def place(self) -> str:
        return f"{self.path}:{self.number}"

    def fault(self, kind: str, expected: str, got: str) -> None:
        """Reports a fault of this row."""
        if not self.silent:
            self.check.report(Fault(kind, self.place, expected, got))

    def query_id(self, value: str) -> str:
        """Returns the id of a query, checked."""
        return self._identifier(value, "query_id", "queries", self.check.query_ids)

    def passage_id(self, value: str) -> str:
        """Returns the id of a passage, checked."""
        return self._identifier(value, "passage_id", "collection", self.check.passage_ids)

    def _identifier(self, value: str, name: str, source: str, known: Container[str] | None) -> str:
        if not value:
            self.fault("empty ids", f"a {name} without spaces", "''")
        elif not is_id(value):
            self.fault("spaces in ids", f"a {name} without spaces", repr(value))
        elif known is not None and value not in known:
            self.fault("unknown ids", f"a {name} of the {source}", repr(value))
        return value

    def text(self, value: str) -> str:
        """Returns a text, checked not to be empty."""
        if not value.strip():
            self.fault("empty text", "a text", "an empty one")
        return value

    def whole(self, value: str, name: str) -> int | None:
        """Returns a whole number."""
        if (
            value.removeprefix("-").isdecimal()
            and value.isascii()
            and len(value) < 19
            and str(int(value)) == value
        ):
            return int(value)
        self.fault("numbers", f"{name} as int", repr(value))
        return None

    def real(self, value: str, name: str) -> float | None:
        """Returns a finite number."""
        try:
            number = float(
                value if value.isascii() and value == value.strip() and "_" not in value else ""
            )
        except ValueError:
            self.fault("numbers", f"{name} as float", repr(value))
            return None
        if not math.isfinite(number):
            self.fault("non-finite scores", f"a finite {name}", repr(value))
            return None
        return number

    def once(self, key: object, seen: set) -> None:
        """Checks that a key comes for the first time, and notes it."""
        if key in seen:
            self.fault("duplicate ids", "each id once", f"{key!r} again")
        seen.add(key)


def no_file(path: Path) -> Fault | None:
    """Returns the fault of a path that is no file, or none that may be read. Nothing is opened: a pipe would block."""
    if path.is_file():
        got = None if os.access(path, os.R_OK) else "one without the permission to read it"
    elif path.is_dir():
        got = "a folder"
    else:
        got = "a pipe, device or broken link" if os.path.lexists(path) else "nothing there"
    return Fault("no file", str(path), "a file", got) if got else None


def read_rows(
    path: Path, widths: tuple[int, ...] | None, check: Check = FIRST_FAULT, at_least: int = 1
) -> Iterator[Row]:
    """Yields the rows of a file. `widths` are the column counts allowed; a file keeps the first one it has."""
    path, row = Path(path), None
    if instead := no_file(path):
        raise instead
    with path.open("rb") as lines:
        for row in rows_of(lines, path, widths, check, at_least):
            yield row
    if row is None:
        Row(path, 1, check).fault("empty file", "a line", "an empty file")


def rows_of(
    lines: Iterable[bytes],
    path: Path,
    widths: tuple[int, ...] | None,
    check: Check = FIRST_FAULT,
    at_least: int = 1,
    first: int = 1,
) -> Iterator[Row]:
    """Yields the rows of lines, the first of which has number `first`."""
    allowed, end = widths, 0
    for number, line in enumerate(lines, first):
        end += len(line)
        row = Row(path, number, check, end)
        row.columns = _decoded(line, row).split("\t")
        allowed = _checked_width(row, allowed, widths, at_least)
        yield row


def _checked_width(
    row: Row, allowed: tuple[int, ...] | None, widths: tuple[int, ...] | None, at_least: int
) -> tuple[int, ...] | None:
    """Returns the column counts allowed for the next row; cuts or fills up this one where it has another."""
    count = len(row.columns)
    if count in (allowed or (count,)):
        if count >= at_least:
            return allowed and (count,)
        row.fault("columns", f"at least {at_least} columns", str(count))
    else:
        kind = (
            "mixed forms"
            if count in widths
            else "columns"
            if count < max(allowed)
            else "stray tabs"
        )
        row.fault(kind, f"{' or '.join(map(str, allowed))} columns", str(count))
    room = allowed[0] if allowed else at_least
    row.columns, row.silent = (row.columns + [""] * room)[:room], True
    return allowed


def _decoded(line: bytes, row: Row) -> str:
    """Returns the text of a line without its end."""
    if not line.endswith(b"\n"):
        row.fault("final newline", "a newline at the end of the file", "none")
    try:
        text = line.removesuffix(b"\n").decode("utf-8")
    except UnicodeDecodeError as error:
        row.fault("UTF-8", "UTF-8", f"byte {line[error.start]:#04x} at {error.start}")
        row.silent, text = True, line.removesuffix(b"\n").decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        row.fault("byte order mark", "text", "a byte order mark")
        text = text.removeprefix("\ufeff")
    if "\r" in text:
        row.fault("carriage returns", "lines that end in LF", "a carriage return")
        text = text.rstrip("\r")
    return text


def same_text(text: str) -> str:
    """Returns what two texts share that differ in case and blanks alone: an uncased model reads them alike."""
    return " ".join(text.lower().split())
