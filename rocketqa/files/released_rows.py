"""Reads the training files of the released package: tab-separated, no header, texts not ids.

    dual encoder     query, title and text of the positive, title and text of a negative, 0
    cross encoder    query, title, text, label (0 or 1)

`ReleasedRules` says which rows are sound. The toolkit and data_prep/released_tsv.py share it, so
they refuse the same rows as `rocketqa validate` and the trainings do after an import. In the
toolkit the ids are made of the places of the rows: `train.tsv:1`.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError, Fault, raise_fault
from rocketqa.files.examples import (
    BOTH_SIDES,
    LabelledPair,
    Sides,
    TrainingExample,
    expected_side,
)
from rocketqa.files.formats import Passage, Query
from rocketqa.files.published_forms import published_form
from rocketqa.files.rows import Check, read_rows

# Stands for the missing title of a dual encoder's passage. A blank has no token; an empty title
# would become the token "-", as in the training data of the paper.
BLANK_TITLE = " "
NO_TITLE = ("-", "")  # how a missing title is written

DUAL_COLUMNS = 6
CROSS_COLUMNS = 4
LABELS = {DUAL_COLUMNS: ("0",), CROSS_COLUMNS: ("0", "1")}
LINE_ENDS = ("carriage returns", "final newline")  # faults that do not matter in a foreign file
DROP_CURE = (
    "`data_prep/released_tsv.py import` with --drop-bad, then `export`, leaves such rows out"
)
SHOWN = 60  # characters of a text in an error message


class ReleasedRow(NamedTuple):
    """A row of texts and its place, `file:line`. A passage is its title and its text."""

    place: str
    query: str
    passages: list[tuple[str, str]]
    label: str


class ReleasedRules:
    """Which rows of a file with `width` columns are sound."""

    def __init__(self, width: int):
        self.width = width
        self._sides = Sides()

    def row_of(self, place: str, columns: Sequence[str]) -> ReleasedRow:
        """Returns a row with its form checked. Raises Fault for another number of columns, another
        label and an empty text.
        """
        if len(columns) != self.width:
            got = published_form(columns) or str(len(columns))
            raise Fault("columns", place, f"{self.width} columns", got)
        query, *texts, label = columns
        labels = LABELS[self.width]
        if label not in labels:
            got = published_form(columns) or repr(label)
            raise Fault("labels", place, f"label {' or '.join(labels)}", got)
        passages = list(zip(texts[::2], texts[1::2]))
        for text in (query, *texts[1::2]):
            if not text.strip():
                raise Fault("empty text", place, "a text", "an empty one")
        return ReleasedRow(place, query, passages, label)

    def refuse_both_sides(self, row: ReleasedRow) -> None:
        """Raises Fault where an earlier row that was kept has a passage of this row on the other
        side of the same query.
        """
        passage = self._sides.conflict(row.query, *self._sides_of(row))
        if passage is not None:
            _, text = passage
            expected = expected_side(repr(row.query)[:SHOWN])
            raise Fault(BOTH_SIDES, row.place, expected, f"{repr(text)[:SHOWN]} as both")

    def keep(self, row: ReleasedRow) -> None:
        """Remembers the passages of a sound row."""
        self._sides.add(row.query, *self._sides_of(row))

    def _sides_of(self, row: ReleasedRow) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Returns the positives and the negatives of a row. A missing title is an empty one."""
        passages = [untitled(passage) for passage in row.passages]
        if self.width == DUAL_COLUMNS:
            return passages[:1], passages[1:]
        return (passages, []) if row.label == "1" else ([], passages)


def untitled(passage: tuple[str, str]) -> tuple[str, str]:
    """Returns a passage whose title is empty where it is missing."""
    title, text = passage
    return ("" if title in NO_TITLE else title, text)


def negative_is_positive(row: ReleasedRow) -> bool:
    """Returns whether the negative of a row is its positive; no training uses such a row."""
    passages = list(map(untitled, row.passages))
    return len(set(passages)) < len(passages)


class DualTrainingSet(NamedTuple):
    """What a dual encoder learns from: examples, and the texts of their queries and passages."""

    queries: dict[str, Query]
    collection: dict[str, Passage]
    examples: list[TrainingExample]


class CrossTrainingSet(NamedTuple):
    """What a cross encoder learns from: pairs, and the texts of their queries and passages."""

    queries: dict[str, Query]
    collection: dict[str, Passage]
    pairs: list[LabelledPair]


def read_dual_training_set(paths: Iterable[Path]) -> DualTrainingSet:
    """Returns the rows of six-column files.

    Raises DataError, `file:line: ...`, at the first row that is not sound (`ReleasedRules`).
    """
    queries: dict[str, Query] = {}
    collection: dict[str, Passage] = {}
    examples = []
    for row in _sound_rows(paths, DUAL_COLUMNS):
        query = Query(row.place, row.query)
        positive, negative = row.passages
        positive_id, negative_id = f"{row.place} positive", f"{row.place} negative"
        queries[query.query_id] = query
        collection[positive_id] = _passage(positive_id, *positive)
        collection[negative_id] = _passage(negative_id, *negative)
        examples.append(TrainingExample(query.query_id, positive_id, (negative_id,)))
    return DualTrainingSet(queries, collection, examples)


def _sound_rows(paths: Iterable[Path], width: int) -> Iterator[ReleasedRow]:
    """Yields the rows of files. Raises Fault at the first one that is not sound.

    Rows whose negative is the positive are left out, as data_prep/released_tsv.py does.
    """
    rules = ReleasedRules(width)
    left_out: list[str] = []
    for path in paths:
        for of_file in read_rows(path, None, Check(_raise_unless_about_line_ends)):
            row = rules.row_of(of_file.place, of_file.columns)
            if negative_is_positive(row):
                left_out.append(row.place)
                continue
            try:
                rules.refuse_both_sides(row)
            except Fault as fault:
                raise DataError(f"{fault}: {DROP_CURE}") from fault
            rules.keep(row)
            yield row
    if left_out:
        print(left_out_line(left_out), file=sys.stderr)


def _raise_unless_about_line_ends(fault: Fault) -> None:
    """Raises a fault, unless it is about the end of a line, which the reader takes off."""
    if fault.kind not in LINE_ENDS:
        raise_fault(fault)


def left_out_line(places: Sequence[str]) -> str:
    """Returns what is said about rows whose negative is the positive. There is at least one."""
    return f"{places[0]}: first of {len(places):,} rows left out whose negative is the positive"


def _passage(passage_id: str, title: str, text: str) -> Passage:
    return Passage(passage_id, title or BLANK_TITLE, text)


def read_cross_training_set(paths: Iterable[Path]) -> CrossTrainingSet:
    """Returns the rows of four-column files. Raises DataError as `read_dual_training_set` does."""
    queries: dict[str, Query] = {}
    collection: dict[str, Passage] = {}
    pairs = []
    for row in _sound_rows(paths, CROSS_COLUMNS):
        place = row.place
        ((title, text),) = row.passages
        queries[place] = Query(place, row.query)
        collection[place] = Passage(place, title, text)
        pairs.append(LabelledPair(place, place, int(row.label)))
    return CrossTrainingSet(queries, collection, pairs)
