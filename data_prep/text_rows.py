"""Rows of texts, as the released code trains on them, become rows of ids; bad rows are left out."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TextIO

from row_index import RowIndex, text_digest

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.released_rows import (
    CROSS_COLUMNS,
    NO_TITLE,
    ReleasedRow,
    ReleasedRules,
    negative_is_positive,
    untitled,
)


class KnownIds:
    """Gives a text the id that it has in --data."""

    def __init__(self, index: RowIndex):
        self.index = index

    def of(self, place: str, *columns: str) -> str:
        """Returns the id of a query (text) or a passage (title, text).

        Raises Fault if the text is not there.
        """
        row = self.index.find(*columns)
        if not row:
            raise Fault("unknown texts", place, "a text of --data", f"{columns[-1]!r:.60}")
        return row[0]


class NewIds:
    """Gives a text an id that is made from it, and writes each new text into a file."""

    def __init__(self, file: TextIO, letter: str):
        """`letter` is the first one of every id: q for queries, p for passages."""
        self.file = file
        self.letter = letter
        self.seen: set[int] = set()

    def of(self, place: str, *columns: str) -> str:
        """Returns the id of a query (text) or a passage (title, text)."""
        number = text_digest(*columns)
        unsigned = number & (1 << 64) - 1
        text_id = f"{self.letter}{unsigned:016x}"
        if number not in self.seen:
            self.seen.add(number)
            self.file.write("\t".join((text_id, *columns)) + "\n")
        return text_id


TextIds = KnownIds | NewIds


class DroppedRows:
    """The bad rows of a source: the first is raised, or with --drop-bad all are left out, each with
    a printed line.
    """

    def __init__(self, drop_bad: bool):
        self.drop_bad = drop_bad
        self.lines: dict[str, list[int]] = {}  # class of faults -> line numbers

    def add(self, fault: Fault) -> None:
        """Notes a fault. Raises it, with the cure, where bad rows are not left out."""
        if not self.drop_bad:
            raise DataError(f"{fault} (--drop-bad leaves such rows out)") from fault
        print(f"left out: {fault}", file=sys.stderr)
        _, _, line = fault.place.rpartition(":")
        self.lines.setdefault(fault.kind, []).append(int(line))

    def print_counts(self) -> None:
        """Prints how many rows of each class were left out."""
        for kind, lines in sorted(self.lines.items()):
            print(f"{kind}\t{len(lines)}", file=sys.stderr)


class RowConverter:
    """Turns rows of texts, all of one width, into rows of ids."""

    def __init__(self, width: int, query_ids: TextIds, passage_ids: TextIds, dropped: DroppedRows):
        self.rules = ReleasedRules(width)
        self.query_ids = query_ids
        self.passage_ids = passage_ids
        self.dropped = dropped
        self.missing_titles: Counter[str] = Counter()  # how often each of NO_TITLE occurs
        self.left_out: list[str] = []  # places of rows whose negative is the positive

    def lines(self, rows: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
        """Yields a line of examples for each sound row whose negative is not the positive."""
        for place, columns in rows:
            try:
                row = self.rules.row_of(place, columns)
                if not negative_is_positive(row):
                    self.rules.refuse_both_sides(row)
                fields = self._ids(row)
            except Fault as fault:
                self.dropped.add(fault)
                continue
            if negative_is_positive(row):
                self.left_out.append(place)
                continue
            self.rules.keep(row)
            if self.rules.width == CROSS_COLUMNS:
                fields.append(row.label)
            yield "\t".join(fields)

    def _ids(self, row: ReleasedRow) -> list[str]:
        """Returns the ids of the query and the passages of a row."""
        fields = [self.query_ids.of(row.place, row.query)]
        for passage in row.passages:
            fields.append(self.passage_ids.of(row.place, *untitled(passage)))
        for title, _ in row.passages:
            if title in NO_TITLE:
                self.missing_titles[title] += 1
        return fields
