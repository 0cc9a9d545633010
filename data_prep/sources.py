"""What the builders of data share: rows of foreign files, files made as artefacts with counted rows, one-line errors.

A foreign file is UTF-8, tab-separated, gzipped where its name ends in `.gz`. Lines may end in CRLF; a carriage return
within a text becomes a space. Everything is read line by line: what grows with a collection is eight bytes a row.
"""

import gzip
import sys
import zlib
from argparse import ArgumentParser, Namespace
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.rows import is_id, no_file
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import NOT_FINISHED, InputPath, OutputPath
from rocketqa.jobs.progress import bar

REPEATED = "repeated rows left out"  # a note that the published counts know nothing of


class NotFinished(Exception):
    """--check asked of something that is not there."""


def run(
    parser: ArgumentParser, build: Callable[[Namespace], int | None], argv: list[str] | None
) -> int:
    """Parses the flags, builds, and returns the exit status: 2 with one line where a user has something to mend."""
    args = parser.parse_args(argv)
    try:
        return build(args) or 0
    except NotFinished:
        return NOT_FINISHED
    except (DataError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Gives the file open for reading bytes, decompressed where it is gzipped."""
    if instead := no_file(path):
        raise instead
    with (
        gzip.open(path, "rb")
        if path.suffix == ".gz"
        else path.open("rb", buffering=1 << 20) as file
    ):
        try:
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path}: expected a whole gzip file, got {error}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: expected UTF-8, got {error.reason}") from None


def read_foreign(path: Path, widths: tuple[int, ...] | None) -> Iterator[tuple[str, list[str]]]:
    """Yields (`file:line`, columns). Raises DataError on another number of columns (None: any) or invalid UTF-8."""
    with open_bytes(path) as lines:
        for number, line in enumerate(bar(lines, desc=path.name, unit=" rows", unit_scale=True), 1):
            try:
                text = line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                wrong = f"byte {line[error.start]:#04x} at {error.start}"
                raise DataError(f"{path}:{number}: expected UTF-8, got {wrong}") from None
            columns = (text.replace("\r", " ") if "\r" in text else text).split("\t")
            if widths and len(columns) not in widths:
                wanted = " or ".join(map(str, widths))
                raise DataError(f"{path}:{number}: expected {wanted} columns, got {len(columns)}")
            yield f"{path}:{number}", columns


def identifier(value: str, place: str, name: str) -> str:
    """Returns an id as our files take it. Raises DataError where it is empty or has spaces."""
    if not is_id(value):
        raise DataError(f"{place}: expected a {name} without spaces, got {value!r}")
    return value


def one_line(text: str, place: str) -> str:
    """Returns a text without tabs and line ends. Raises DataError where nothing is left."""
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", " ").replace("\n", " ").replace("\r", " ")
    if not text or text.isspace():
        raise DataError(f"{place}: expected a text, got an empty one")
    return text


class Ids:
    """The ids of a file, by their hashes: 8 bytes each, so that a repeated one among millions is found."""

    def __init__(self, path: Path, first_line: int = 1):
        self.path, self.first_line, self.hashes = path, first_line, array("q")

    def add(self, value: str) -> None:
        """Takes the id of the next row."""
        self.hashes.append(hash(value))

    def refuse_repeated(self) -> None:
        """Raises DataError where an id came twice, naming both rows."""
        keys = np.frombuffer(self.hashes, np.int64) if self.hashes else np.empty(0, np.int64)
        ordered = np.sort(keys)
        if (ordered[1:] == ordered[:-1]).any():
            order = np.argsort(keys, kind="stable")
            again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
            first = again[order[again + 1].argmin()]
            lines = order[first : first + 2] + self.first_line
            raise DataError(
                f"{self.path}:{lines[1]}: expected each id once, got that of line {lines[0]} again"
            )


def make_file(
    script: str,
    args: Namespace,
    name: str,
    inputs: dict[str, Path],
    lines: Callable[[Counter], Iterator[str]],
    rows: int | None = None,
    **flags,
) -> int:
    """Makes OUTPUT/NAME as an artefact of its own and returns the exit status.

    `lines` gets a Counter for what it leaves out or changes: said, and written into the manifest with the row count.
    `rows` is the published count: another one is refused with --counts published and said otherwise.
    """
    job = Job(
        script,
        Namespace(
            output=OutputPath(args.output / name),
            **flags,
            **{key: InputPath(path) for key, path in inputs.items()},
        ),
    )
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    notes: Counter = Counter()
    with job as part:
        try:
            count = write_lines(part / name, lines(notes))
            found = count + notes[REPEATED]
        except UnicodeEncodeError as error:  # JSON and Python literals can spell what UTF-8 cannot
            raise DataError(
                f"{job.output}: expected characters, got {error.object[error.start]!r}"
            ) from None
        if not count:
            raise DataError(f"{job.output}: expected rows, got none")
        if rows is not None and found != rows:
            if args.counts == "published":
                raise DataError(f"{job.output}: expected {rows:,} rows as published, got {found:,}")
            notes[f"rows fewer or more than the {rows:,} published"] = abs(rows - found)
        job.facts |= {"rows": count, "notes": dict(notes)} | {
            name: flags[name] for name in flags if name == "titles"
        }
    told = "; ".join(f"{number:,} {note}" for note, number in notes.items() if number)
    print(f"{job.output}: {count:,} rows{told and f' ({told})'}", file=sys.stderr)
    return 0
