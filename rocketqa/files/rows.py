"""Files as rows of columns, and everything that can be wrong with a line.

Columns are separated by tabs. Runs and labels may have other blanks between them (`columns.py`).

A reader gives each fault to the fault handler of its Check. The handler of `rocketqa validate`
notes the fault and lets the reader go on; that of all other verbs raises the first fault. All use
the same readers, so they always agree.

A line with a wrong number of columns, or that is not UTF-8, makes a malformed row: its columns are
cut or filled up to the expected number, and no further fault of it is reported.
"""

import math
import os
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.columns import Split, at_tabs, counted
from rocketqa.files.errors import Fault, raise_fault
from rocketqa.files.first_bytes import fault_of_first_bytes

LINE_ENDS = "lines that end in LF as on Linux (sed -i 's/\\r$//' FILE mends it)"
UNKNOWN_IDS = "unknown ids"  # the kind of a fault: an id that the queries or the collection lack


class Check(NamedTuple):
    """What a reader compares its rows with, and the fault handler. None disables a comparison."""

    on_fault: Callable[[Fault], None] = raise_fault
    query_ids: Container[str] | None = None  # the ids that a row may name
    passage_ids: Container[str] | None = None  # the ids that a row may name
    known_positives: Mapping[str, Container[str]] = {}  # query_id -> ids that are not negatives
    training_texts: Mapping[str, str] = {}  # normalized text of a training query -> its query_id
    training_query_ids: Container[str] = ()


def ignore_fault(fault: Fault) -> None:
    """Does nothing. It is the fault handler for lines that were checked before."""


RAISE_FAULTS = Check()
IGNORE_FAULTS = Check(on_fault=ignore_fault)


class Row:
    """The columns of a line and its place in the file.

    Each `checked_...` method returns what it was given or what it read there. It reports a fault
    where the value is wrong; its documentation says what it returns after a fault.

    number: the line number, from 1. end: the bytes from the first line that was read to the end of
    this one. malformed: whether the columns were cut or filled up, or are not UTF-8.
    """

    __slots__ = ("path", "number", "columns", "check", "malformed", "end")

    def __init__(self, path: Path, number: int, check: Check, end: int = 0):
        self.path = path
        self.number = number
        self.check = check
        self.end = end
        self.columns: list[str] = []
        self.malformed = False

    @property
    def place(self) -> str:
        """The `file:line` that error messages name."""
        return f"{self.path}:{self.number}"

    def report(self, kind: str, expected: str, got: str) -> None:
        """Gives a fault to the fault handler. A malformed row reports no further fault."""
        if not self.malformed:
            self.check.on_fault(Fault(kind, self.place, expected, got))

    def checked_query_id(self, value: str) -> str:
        """Returns the id of a query, also after a fault."""
        self._check_id(value, "query_id", "queries", self.check.query_ids)
        return value

    def checked_passage_id(self, value: str) -> str:
        """Returns the id of a passage, also after a fault."""
        self._check_id(value, "passage_id", "collection", self.check.passage_ids)
        return value

    def _check_id(
        self, value: str, name: str, source: str, known_ids: Container[str] | None
    ) -> None:
        """Reports an empty id, one with spaces or NUL, and one that is not among the known ones."""
        if not value:
            self.report("empty ids", f"a {name} without spaces", "''")
        elif not is_valid_id(value):
            wrong = wrong_in_id(value)
            self.report(f"{wrong} in ids", f"a {name} without {wrong}", repr(value))
        elif known_ids is not None and value not in known_ids:
            self.report(UNKNOWN_IDS, f"a {name} of the {source}", repr(value))

    def checked_text(self, value: str) -> str:
        """Returns a text, also after a fault. An empty text is a fault."""
        if not value.strip():
            self.report("empty text", "a text", "an empty one")
        return value

    def checked_integer(self, value: str, name: str) -> int:
        """Returns an integer; 0 after a fault."""
        number = parse_integer(value)
        if number is None:
            self.report("numbers", f"{name} as int", repr(value))
            return 0
        return number

    def checked_number(self, value: str, name: str) -> float:
        """Returns a finite number; nan after a fault."""
        number = parse_number(value)
        if number is None:
            self.report("numbers", f"{name} as float", repr(value))
            return math.nan
        if not math.isfinite(number):
            self.report("non-finite scores", f"a finite {name}", repr(value))
            return math.nan
        return number

    def check_unique(self, key: Hashable, seen: set) -> None:
        """Reports a key that is in `seen`, else adds it there."""
        if key in seen:
            self.report("duplicate ids", "each id once", f"{key!r} again")
        seen.add(key)


def is_valid_id(value: str) -> bool:
    """Returns whether a value can be an id: it is not empty and has neither spaces nor NUL.

    Many programs take NUL for the end of a text, so that they would confuse two ids.
    """
    return value.split() == [value] and "\0" not in value


def wrong_in_id(value: str) -> str:
    """Returns what a value that is not a valid id has to be without."""
    return "NUL" if "\0" in value else "spaces"


def parse_integer(text: str) -> int | None:
    """Returns the integer that a text holds in plain form, such as 7 or -7; None for other text.

    Leading zeros, `+7`, `-0` and more than 18 characters are not the plain form.
    """
    is_decimal = text.removeprefix("-").isdecimal() and text.isascii()
    if not is_decimal or len(text) > 18:
        return None
    number = int(text)
    return number if str(number) == text else None


def parse_number(text: str) -> float | None:
    """Returns the number that a text holds, perhaps nan or infinity; None for other text."""
    if not text.isascii() or text != text.strip() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def normalize_text(text: str) -> str:
    """Returns a text in lower case with single spaces.

    An uncased model cannot tell texts apart whose normalized texts are equal.
    """
    return " ".join(text.lower().split())


def file_fault(path: Path) -> Fault | None:
    """Returns the fault of a path that is not a file or may not be read; None for a readable file.

    The path is not opened, because opening a pipe would block.
    """
    if path.is_file():
        if os.access(path, os.R_OK):
            return None
        got = "one without the permission to read it"
    elif path.is_dir():
        got = "a folder"
    elif os.path.lexists(path):
        got = "a pipe, device or broken link"
    else:
        got = "nothing there"
    return Fault("no file", str(path), "a file", got)


def require_file(path: Path) -> None:
    """Raises a Fault, which is a DataError, where the path is not a file that may be read."""
    fault = file_fault(path)
    if fault is not None:
        raise fault


def read_rows(
    path: Path,
    column_counts: tuple[int, ...] | None,
    check: Check = RAISE_FAULTS,
    min_columns: int = 1,
    split: Split = at_tabs,
) -> Iterator[Row]:
    """Yields the rows of a file.

    column_counts: how many columns a row may have; all rows of a file have as many as the first.
    None: a row has at least `min_columns`, and rows may differ. split: makes columns of a line.
    """
    path = Path(path)
    require_file(path)
    if (fault := fault_of_first_bytes(path)) is not None:
        check.on_fault(fault)
        return
    is_empty = True
    with path.open("rb") as lines:
        for row in parse_rows(lines, path, column_counts, check, min_columns, split=split):
            is_empty = False
            yield row
    if is_empty:
        Row(path, 1, check).report("empty file", "a line", "an empty file")


def parse_rows(
    lines: Iterable[bytes],
    path: Path,
    column_counts: tuple[int, ...] | None,
    check: Check = RAISE_FAULTS,
    min_columns: int = 1,
    first_number: int = 1,
    split: Split = at_tabs,
) -> Iterator[Row]:
    """Yields the rows of lines as `read_rows` does. first_number: that of the first line."""
    allowed = column_counts or ()
    end = 0
    for number, line in enumerate(lines, first_number):
        end += len(line)
        row = Row(path, number, check, end)
        row.columns = split(_decode(line, row))
        count = len(row.columns)
        if column_counts is None:
            _check_min_columns(row, min_columns, split)
        elif count in allowed:
            allowed = (count,)
        else:
            _report_column_count(row, allowed, count in column_counts, split)
        yield row


def _check_min_columns(row: Row, min_columns: int, split: Split) -> None:
    """Reports a row with fewer columns, and fills it up."""
    count = len(row.columns)
    if count < min_columns:
        row.report("columns", f"at least {min_columns} columns", counted(count, split))
        _fit_columns(row, min_columns)


def _report_column_count(row: Row, allowed: tuple[int, ...], other: bool, split: Split) -> None:
    """Reports a row with a wrong number of columns, and makes it as long as the first allowed one.

    other: whether another form of such a file has rows of this length.
    """
    count = len(row.columns)
    if other:
        kind = "mixed forms"
    elif count < max(allowed):
        kind = "columns"
    else:
        kind = "stray tabs"
    expected = " or ".join(map(str, allowed))
    row.report(kind, f"{expected} columns", counted(count, split))
    _fit_columns(row, allowed[0])


def _fit_columns(row: Row, count: int) -> None:
    """Cuts or fills up a row to `count` columns and marks it as malformed."""
    filled = row.columns + [""] * count
    row.columns = filled[:count]
    row.malformed = True


def _decode(line: bytes, row: Row) -> str:
    """Returns the text of a line without its end. Reports what is wrong with its bytes."""
    if not line.endswith(b"\n"):
        row.report("final newline", "a newline at the end of the file", "none")
    content = line.removesuffix(b"\n")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        row.report("UTF-8", "UTF-8", f"byte {content[error.start]:#04x} at {error.start}")
        row.malformed = True
        text = content.decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        row.report("byte order mark", "text", "a byte order mark")
        text = text.removeprefix("\ufeff")
    if "\r" in text:
        row.report("carriage returns", LINE_ENDS, "a carriage return")
        text = text.rstrip("\r")
    return text
