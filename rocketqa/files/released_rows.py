"""Reads the training files of the released package: tab-separated, no header, texts not ids.

    dual encoder     query, title and text of the positive, title and text of a negative, 0
    cross encoder    query, title, text, label (0 or 1)

The ids are made of the places of the rows: `train.tsv:1`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.files.rows import Row, read_rows

# Stands for the missing title of a dual encoder's passage. A blank has no token; an empty title
# would become the token "-", as in the training data of the paper.
BLANK_TITLE = " "


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
    for path in paths:
        for row in read_rows(path, (6,)):
            query, title, text, negative_title, negative_text, _ = row.columns
            query_id = row.place
            positive_id = f"{row.place} positive"
            negative_id = f"{row.place} negative"
            queries[query_id] = Query(query_id, row.checked_text(query))
            collection[positive_id] = _passage(row, positive_id, title, text)
            collection[negative_id] = _passage(row, negative_id, negative_title, negative_text)
            examples.append(TrainingExample(query_id, positive_id, (negative_id,)))
    return DualTrainingSet(queries, collection, examples)


def _passage(row: Row, passage_id: str, title: str, text: str) -> Passage:
    return Passage(passage_id, title or BLANK_TITLE, row.checked_text(text))


def read_cross_training_set(paths: Iterable[Path]) -> CrossTrainingSet:
    """Returns the rows of four-column files.

    Raises DataError, `file:line: ...`, on a row of another width, an empty text or another label.
    """
    queries: dict[str, Query] = {}
    collection: dict[str, Passage] = {}
    pairs = []
    for path in paths:
        for row in read_rows(path, (4,)):
            query, title, text, label = row.columns
            queries[row.place] = Query(row.place, row.checked_text(query))
            collection[row.place] = Passage(row.place, title, row.checked_text(text))
            pairs.append(LabelledPair(row.place, row.place, _label(row, label)))
    return CrossTrainingSet(queries, collection, pairs)


def _label(row: Row, label: str) -> int:
    if label not in ("0", "1"):
        row.report("labels", "label 0 or 1", repr(label))
    return int(label)
