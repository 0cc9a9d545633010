"""Pseudo-labels to be read by a person: of some queries without labels, the passage that the cross
encoder takes for their positive, and one of those that it takes for negatives (section 3.3.3).

The queries are drawn by a seed among those that have both. Stage 4 trains on the positive, and on
the negatives that come first.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rocketqa.denoised_hard_negatives import Scores, confident_negatives, draw, score_of
from rocketqa.evaluation.tables import Table, markdown_lines
from rocketqa.files.formats import Passage, Query
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import number

MAX_QUERIES = 20  # queries that are shown, each with two passages
COLUMNS = "query_id query label rank score passage_id title text relevant"
POSITIVE, NEGATIVE = "positive", "negative"


class PseudoLabel(NamedTuple):
    """A passage that the cross encoder has labelled.

    label: POSITIVE or NEGATIVE. relevant: by the truth; None: unknown.
    """

    query_id: str
    label: str
    rank: int
    score: float
    passage_id: str
    relevant: bool | None


class PseudoLabelSamples:
    """Pseudo-labels of drawn queries among all that were added."""

    def __init__(self, min_positive: float, max_negative: float, seed: int):
        self.min_positive = min_positive
        self.max_negative = max_negative
        self.seed = seed
        self._pairs: list[tuple[int, list[PseudoLabel]]] = []  # a heap of (order, both labels)

    def add(
        self,
        query_id: str,
        top: Sequence[ScoredPassage],
        scores: Scores,
        truth: Collection[str] | None,
    ) -> None:
        """Keeps the labels of one query if it is among the first in a random order.

        The order is a number from the seed and the query id, so it does not depend on the file.
        truth: all relevant passages; None if unknown. Raises DataError if a passage has no score.
        """
        order = -number(self.seed, "pseudo-labels", query_id, bits=64)
        is_full = len(self._pairs) == MAX_QUERIES
        if not top or (is_full and order < self._pairs[0][0]):
            return
        chosen = self._positive_and_negative(query_id, top, scores)
        if chosen is None:
            return
        pair = []
        for label, scored in zip((POSITIVE, NEGATIVE), chosen):
            passage_id = scored.passage_id
            score = score_of(scores, query_id, passage_id)
            relevant = None if truth is None else passage_id in truth
            pair.append(PseudoLabel(query_id, label, scored.rank, score, passage_id, relevant))
        if is_full:
            heapq.heapreplace(self._pairs, (order, pair))
        else:
            heapq.heappush(self._pairs, (order, pair))

    def _positive_and_negative(
        self, query_id: str, top: Sequence[ScoredPassage], scores: Scores
    ) -> tuple[ScoredPassage, ScoredPassage] | None:
        """Returns the positive and a drawn negative, None where the query has not both."""
        by_id = {scored.passage_id: scored for scored in top}
        values = [score_of(scores, query_id, passage_id) for passage_id in by_id]
        best = top[int(np.argmax(values))]
        negatives = confident_negatives(query_id, list(by_id), scores, self.max_negative)
        others = [passage_id for passage_id in negatives if passage_id != best.passage_id]
        if max(values) <= self.min_positive or not others:
            return None
        [drawn] = draw(query_id, others, 1, self.seed, "pseudo-negative")
        return best, by_id[drawn]

    def labels(self) -> list[PseudoLabel]:
        """Returns the labels of up to 20 queries in a random order, the positive of each first."""
        return [label for _, pair in sorted(self._pairs, reverse=True) for label in pair]


def pseudo_labels_with_texts(
    samples: PseudoLabelSamples, queries: Mapping[str, Query], passages: Mapping[str, Passage]
) -> Table:
    """Returns the table of drawn pseudo-labels with their texts."""
    table: Table = [list(COLUMNS.split())]
    known = {True: "yes", False: "no", None: ""}
    for label in samples.labels():
        passage = passages[label.passage_id]
        row = [
            label.query_id,
            queries[label.query_id].text,
            label.label,
            label.rank,
            f"{label.score:.4g}",
            label.passage_id,
            passage.title,
            passage.text,
            known[label.relevant],
        ]
        table.append(row)
    return table


def pseudo_label_lines(table: Table) -> Iterator[str]:
    """Yields the lines of pseudo_labels.md."""
    yield from ("", "## Pseudo-labels, drawn by chance", "")
    yield from markdown_lines(table)
