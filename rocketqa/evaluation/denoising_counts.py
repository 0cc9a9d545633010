"""Counts the passages of a run by rank and by the cross encoder's score, query after query.

A passage of the run is of one of four kinds:

    LABELLED      a labelled positive of its query
    UNKNOWN       not labelled, and nothing more is known about it
    IRRELEVANT    not labelled, and irrelevant by the truth
    RELEVANT      not labelled, but relevant by the truth: a false negative unless it is removed

The truth is a complete list of the relevant passages of a query; made-up data have one. An
unlabelled passage is removed by denoising if its P(relevant) is not below `max_negative`.
"""

import heapq
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from rocketqa.denoised_hard_negatives import Scores, draw, score_of
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import number

LABELLED, UNKNOWN, IRRELEVANT, RELEVANT = range(4)
KINDS = 4
KNOWN_RELEVANCE = {IRRELEVANT: False, RELEVANT: True}
# The last rank of each range; one more range, without an end, follows.
RANK_ENDS = np.array([1, 2, 5, *range(10, 101, 10), *range(200, 1001, 100)])
TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
THRESHOLDS = (0.01, 0.02, 0.05, *TENTHS, 0.95, 0.98, 0.99)
MAX_REMOVALS = 20  # removed passages that are shown


class Removal(NamedTuple):
    """An unlabelled passage that denoising removes from the candidates for hard negatives."""

    query_id: str
    rank: int
    score: float
    passage_id: str
    relevant: bool | None  # by the truth; None: unknown


class DenoisingCounts:
    """The counts of all queries that were added. Their size does not grow with the queries.

    edges: the thresholds, ascending; E edges make E + 1 intervals of scores, which hold their lower
    edge. passages: numbers of passages [kind, range of ranks, interval of scores]. lowest_scores:
    numbers of queries [interval] by the lowest score of an unlabelled passage. best_scores: numbers
    of queries [kind, interval] by their best-scored passage; its intervals hold their upper edge,
    because a score on a threshold is not above it.
    """

    def __init__(self, max_negative: float, min_positive: float, seed: int):
        self.max_negative = max_negative
        self.seed = seed
        self.edges = np.unique([*THRESHOLDS, max_negative, min_positive])
        intervals = len(self.edges) + 1
        self.queries = 0
        self.passages = np.zeros((KINDS, len(RANK_ENDS) + 1, intervals), np.int64)
        self.lowest_scores = np.zeros(intervals, np.int64)
        self.best_scores = np.zeros((KINDS, intervals), np.int64)
        self._removals: list[tuple[int, Removal]] = []  # a heap of (order, removal)

    def add(
        self,
        query_id: str,
        top: Sequence[ScoredPassage],
        scores: Scores,
        positives: Collection[str],
        truth: Collection[str] | None,
    ) -> None:
        """Counts the top passages of one query.

        positives: its labelled positives. truth: all its relevant passages; None if unknown. Raises
        DataError if a passage has no score.
        """
        if not top:
            return
        passage_ids = [scored.passage_id for scored in top]
        kinds = np.array([_kind_of(each, positives, truth) for each in passage_ids])
        values = np.array([score_of(scores, query_id, each) for each in passage_ids])
        rank_ranges = RANK_ENDS.searchsorted([scored.rank for scored in top])
        intervals = self.edges.searchsorted(values, "right")
        np.add.at(self.passages, (kinds, rank_ranges, intervals), 1)
        self.queries += 1
        is_unlabelled = kinds != LABELLED
        if is_unlabelled.any():
            lowest = intervals[is_unlabelled].min()
            self.lowest_scores[lowest] += 1
            best = values.argmax()
            best_interval = self.edges.searchsorted(values[best])
            self.best_scores[kinds[best], best_interval] += 1
        self._note_removal(query_id, top, values, kinds)

    def _note_removal(
        self,
        query_id: str,
        top: Sequence[ScoredPassage],
        values: np.ndarray,
        kinds: np.ndarray,
    ) -> None:
        """Keeps a random removal of this query if the query is among the first in a random order.

        The order is a number from the seed and the query id, so it does not depend on the file.
        """
        is_unlabelled = kinds != LABELLED
        is_removed = is_unlabelled & (values >= self.max_negative)
        removed = np.flatnonzero(is_removed).tolist()
        if not removed:
            return
        order = -number(self.seed, "removals", query_id, bits=64)
        is_full = len(self._removals) == MAX_REMOVALS
        if is_full and order < self._removals[0][0]:
            return
        [place] = draw(query_id, removed, 1, self.seed, "removal")
        removal = Removal(
            query_id=query_id,
            rank=top[place].rank,
            score=float(values[place]),
            passage_id=top[place].passage_id,
            relevant=KNOWN_RELEVANCE.get(int(kinds[place])),
        )
        if is_full:
            heapq.heapreplace(self._removals, (order, removal))
        else:
            heapq.heappush(self._removals, (order, removal))

    def removals(self) -> list[Removal]:
        """Returns up to 20 removals of different queries, in a random order."""
        return [removal for _, removal in sorted(self._removals, reverse=True)]

    def passages_below(self, edge: float) -> np.ndarray:
        """Returns the numbers of passages [kind, range of ranks] whose score is below an edge."""
        end = self.edges.searchsorted(edge) + 1
        return self.passages[:, :, :end].sum(2)

    def unlabelled_passages(self) -> int:
        """Returns the number of unlabelled passages."""
        return int(self.passages[UNKNOWN:].sum())

    def removed_passages(self) -> int:
        """Returns the number of unlabelled passages that denoising removes."""
        below = self.passages_below(self.max_negative)
        kept = int(below[UNKNOWN:].sum())
        return self.unlabelled_passages() - kept

    def queries_with_score_below(self, edge: float) -> int:
        """Returns the number of queries with an unlabelled passage whose score is below an edge."""
        end = self.edges.searchsorted(edge) + 1
        return self.lowest_scores[:end].sum()

    def best_above(self, edge: float) -> np.ndarray:
        """Returns the numbers of queries [kind] whose best-scored passage is above an edge."""
        begin = self.edges.searchsorted(edge) + 1
        return self.best_scores[:, begin:].sum(1)


def _kind_of(passage_id: str, positives: Collection[str], truth: Collection[str] | None) -> int:
    if passage_id in positives:
        return LABELLED
    if truth is None:
        return UNKNOWN
    return RELEVANT if passage_id in truth else IRRELEVANT
