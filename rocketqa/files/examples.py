"""The training examples of both models, as ids of queries and passages.

examples.dual.tsv   query_id, positive passage_id, negative passage_id ...
examples.cross.tsv  query_id, passage_id, label (1 relevant, 0 not)
"""

from pathlib import Path
from typing import NamedTuple

from rocketqa.files.rows import RAISE_FAULTS, Check, Row, read_rows

PassageSides = dict[tuple[str, str], bool]  # (query_id, passage_id) -> whether it is a positive


class TrainingExample(NamedTuple):
    """A query with one positive and its own hard negatives (dual encoder)."""

    query_id: str
    positive_id: str
    negative_ids: tuple[str, ...]


class LabelledPair(NamedTuple):
    """A query, a passage and whether the passage is relevant (cross encoder)."""

    query_id: str
    passage_id: str
    label: int


class TrainingRows(NamedTuple):
    """Training rows as lines of a file, and how many queries gave any or none."""

    lines: list[str]
    queries: int
    queries_left_out: int


def read_examples(*paths: Path, check: Check = RAISE_FAULTS) -> list[TrainingExample]:
    """Returns the rows of examples.dual.tsv files. All rows have the same number of negatives."""
    examples: list[TrainingExample] = []
    sides: PassageSides = {}
    for path in paths:
        for row in read_rows(path, None, check, min_columns=2):
            example = _example_from_row(row, sides)
            first = examples[0] if examples else example
            count = len(example.negative_ids)
            expected = len(first.negative_ids)
            if count != expected:
                row.report("columns", f"{expected} negatives as in the first row", str(count))
            if not row.malformed:
                examples.append(example)
    return examples


def _example_from_row(row: Row, sides: PassageSides) -> TrainingExample:
    """Returns the training example of a row, with its ids checked."""
    query_id, positive_id, *negative_ids = row.columns
    example = TrainingExample(
        row.checked_query_id(query_id),
        row.checked_passage_id(positive_id),
        tuple(map(row.checked_passage_id, negative_ids)),
    )
    _check_side(row, query_id, positive_id, True, sides)
    for negative_id in negative_ids:
        _check_side(row, query_id, negative_id, False, sides)
    return example


def read_pairs(*paths: Path, check: Check = RAISE_FAULTS) -> list[LabelledPair]:
    """Returns the rows of examples.cross.tsv files. A wrong label becomes 0 after the fault."""
    pairs = []
    sides: PassageSides = {}
    for path in paths:
        for row in read_rows(path, (3,), check):
            query_id, passage_id, label = row.columns
            row.checked_query_id(query_id)
            row.checked_passage_id(passage_id)
            is_positive = label == "1"
            if label in ("0", "1"):
                _check_side(row, query_id, passage_id, is_positive, sides)
            else:
                row.report("labels", "label 0 or 1", repr(label))
            pairs.append(LabelledPair(query_id, passage_id, int(is_positive)))
    return pairs


def _check_side(
    row: Row, query_id: str, passage_id: str, is_positive: bool, sides: PassageSides
) -> None:
    """Reports a passage that is both positive and negative for one query.

    The row is compared with earlier rows (`sides`, which receives it) and with known positives.
    """
    if row.malformed or not passage_id:
        return
    first_side = sides.setdefault((query_id, passage_id), is_positive)
    known_positives = row.check.known_positives.get(query_id, ())
    if first_side != is_positive or (not is_positive and passage_id in known_positives):
        row.report(
            "positive and negative",
            f"a passage positive or negative for query {query_id}",
            f"{passage_id!r} as both",
        )
