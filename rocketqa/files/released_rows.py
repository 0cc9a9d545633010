"""Reads the training files of the released package: tab-separated, no header, texts not ids.

    dual encoder     query, title and text of the positive, title and text of a negative, 0
    cross encoder    query, title, text, label (0 or 1)

The ids are made of the places of the rows: `train.tsv:1`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.files.rows import Row, read_rows

# Stands for the missing title of a dual encoder's passage. A blank has no token; an empty title
# would become the token "-", as in the training data of the paper.
BLANK_TITLE = " "

DUAL_COLUMNS = 6
CROSS_COLUMNS = 4


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

    Raises DataError, `file:line: ...`, on a row of another width and on an empty text.
    """
    queries: dict[str, Query] = {}
    collection: dict[str, Passage] = {}
    examples = []
    for row in _rows(paths, DUAL_COLUMNS):
        query_text, title, text, negative_title, negative_text, _ = row.columns
        query = Query(row.place, row.checked_text(query_text))
        positive = _passage(row, "positive", title, text)
        negative = _passage(row, "negative", negative_title, negative_text)
        queries[query.query_id] = query
        collection[positive.passage_id] = positive
        collection[negative.passage_id] = negative
        example = TrainingExample(
            query_id=query.query_id,
            positive_id=positive.passage_id,
            negative_ids=(negative.passage_id,),
        )
        examples.append(example)
    return DualTrainingSet(queries, collection, examples)


def _rows(paths: Iterable[Path], columns: int) -> Iterator[Row]:
    for path in paths:
        yield from read_rows(path, (columns,))


def _passage(row: Row, name: str, title: str, text: str) -> Passage:
    checked_text = row.checked_text(text)
    return Passage(f"{row.place} {name}", title or BLANK_TITLE, checked_text)


def read_cross_training_set(paths: Iterable[Path]) -> CrossTrainingSet:
    """Returns the rows of four-column files.

    Raises DataError, `file:line: ...`, on a row of another width, an empty text or another label.
    """
    queries: dict[str, Query] = {}
    collection: dict[str, Passage] = {}
    pairs = []
    for row in _rows(paths, CROSS_COLUMNS):
        place = row.place
        query, title, text, label = row.columns
        query_text = row.checked_text(query)
        passage_text = row.checked_text(text)
        queries[place] = Query(place, query_text)
        collection[place] = Passage(place, title, passage_text)
        pair = LabelledPair(place, place, _label(row, label))
        pairs.append(pair)
    return CrossTrainingSet(queries, collection, pairs)


def _label(row: Row, label: str) -> int:
    if label not in ("0", "1"):
        row.report("labels", "label 0 or 1", repr(label))
    return int(label)
