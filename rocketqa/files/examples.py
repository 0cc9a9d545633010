"""The training examples of both models, as ids of queries and passages.

examples.dual.tsv   query_id, positive passage_id, negative passage_id ...
examples.cross.tsv  query_id, passage_id, label (1 relevant, 0 not)
"""

from collections.abc import Container, Hashable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from rocketqa.files.rows import RAISE_FAULTS, Check, Row, read_rows
from rocketqa.files.runs import Ranking, ScoredPassage

Passage = TypeVar("Passage", bound=Hashable)  # an id or a text
BOTH_SIDES = "positive and negative"  # the kind of a fault: a passage is both for one query


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


class Sides:
    """Which passages are positives and which are negatives of each query, over many rows.

    Queries and passages may be ids or texts. Only the 64-bit hash of a query and a passage is kept.
    """

    def __init__(self) -> None:
        self._is_positive: dict[int, bool] = {}

    def conflict(
        self,
        query: Hashable,
        positives: Iterable[Passage],
        negatives: Iterable[Passage],
        known_positives: Container[Passage] = (),
    ) -> Passage | None:
        """Returns the first passage of a row that is on the other side in this row, in an added row
        or in `known_positives`; None where there is none.
        """
        side_of = dict.fromkeys(positives, True)
        for passage in negatives:
            if passage in known_positives or side_of.setdefault(passage, False):
                return passage
        for passage, is_positive in side_of.items():
            key = hash((query, passage))
            if self._is_positive.get(key, is_positive) != is_positive:
                return passage
        return None

    def add(
        self, query: Hashable, positives: Iterable[Passage], negatives: Iterable[Passage]
    ) -> None:
        """Adds the passages of a row without a conflict."""
        for passage in positives:
            self._is_positive[hash((query, passage))] = True
        for passage in negatives:
            self._is_positive[hash((query, passage))] = False


def read_examples(*paths: Path, check: Check = RAISE_FAULTS) -> list[TrainingExample]:
    """Returns the rows of examples.dual.tsv files. Rows may have different numbers of negatives."""
    examples: list[TrainingExample] = []
    sides = Sides()
    for path in paths:
        for row in read_rows(path, None, check, min_columns=2):
            example = _example_from_row(row)
            _check_sides(row, sides, [example.positive_id], example.negative_ids)
            if not row.malformed:
                examples.append(example)
    return examples


def _example_from_row(row: Row) -> TrainingExample:
    """Returns the training example of a row, with its ids checked."""
    query_id, positive_id, *negative_ids = row.columns
    return TrainingExample(
        row.checked_query_id(query_id),
        row.checked_passage_id(positive_id),
        tuple(map(row.checked_passage_id, negative_ids)),
    )


def pairs_of_examples(examples: Iterable[TrainingExample]) -> dict[str, Ranking]:
    """Returns query_id -> the passages of its rows, each once, as they come first: a ranking, whose
    scores are 1 / rank.
    """
    passages: dict[str, dict[str, None]] = {}
    for query_id, positive_id, negative_ids in examples:
        of_query = passages.setdefault(query_id, {})
        of_query |= dict.fromkeys((positive_id, *negative_ids))
    rankings: dict[str, Ranking] = {}
    for query_id, passage_ids in passages.items():
        ranking = rankings.setdefault(query_id, [])
        for rank, passage_id in enumerate(passage_ids, 1):
            ranking.append(ScoredPassage(query_id, passage_id, rank, 1 / rank))
    return rankings


def read_pairs(*paths: Path, check: Check = RAISE_FAULTS) -> list[LabelledPair]:
    """Returns the rows of examples.cross.tsv files. A wrong label becomes 0 after the fault."""
    pairs = []
    sides = Sides()
    for path in paths:
        for row in read_rows(path, (3,), check):
            query_id, passage_id, label = row.columns
            row.checked_query_id(query_id)
            row.checked_passage_id(passage_id)
            is_positive = label == "1"
            if is_positive:
                _check_sides(row, sides, [passage_id], [])
            elif label == "0":
                _check_sides(row, sides, [], [passage_id])
            else:
                row.report("labels", "label 0 or 1", repr(label))
            pairs.append(LabelledPair(query_id, passage_id, int(is_positive)))
    return pairs


def _check_sides(
    row: Row, sides: Sides, positives: Sequence[str], negatives: Sequence[str]
) -> None:
    """Reports a passage that is both positive and negative for the query of the row.

    The row is compared with the sound rows before it (`sides`, which receives it) and with known
    positives.
    """
    if row.malformed:
        return
    query_id = row.columns[0]
    positives = [passage_id for passage_id in positives if passage_id]
    negatives = [passage_id for passage_id in negatives if passage_id]
    known_positives = row.check.known_positives.get(query_id, ())
    passage_id = sides.conflict(query_id, positives, negatives, known_positives)
    if passage_id is None:
        sides.add(query_id, positives, negatives)
    else:
        row.report(BOTH_SIDES, expected_side(query_id), f"{passage_id!r} as both")


def expected_side(query: str) -> str:
    """Returns what an error message about a passage on both sides of a query expects."""
    return f"a passage positive or negative for query {query}"
