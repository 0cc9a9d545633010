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
        kinds = np.array([_kind_of(scored.passage_id, positives, truth) for scored in top])
        values = np.array([score_of(scores, query_id, scored.passage_id) for scored in top])
        rank_ranges = RANK_ENDS.searchsorted([scored.rank for scored in top])
        np.add.at(self.passages, (kinds, rank_ranges, self._intervals(values)), 1)
        self.queries += 1
        is_unlabelled = kinds != LABELLED
        if is_unlabelled.any():
            lowest = values[is_unlabelled].min()
            self.lowest_scores[self._intervals(lowest)] += 1
            best = values.argmax()
            self.best_scores[kinds[best], self.edges.searchsorted(values[best])] += 1
        self._note_removal(query_id, top, values, kinds)

    def _intervals(self, values: np.ndarray) -> np.ndarray:
        """Returns the interval of each score; an edge belongs to the interval above it."""
        return self.edges.searchsorted(values, "right")

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
        is_removed = (kinds != LABELLED) & (values >= self.max_negative)
        removed = np.flatnonzero(is_removed).tolist()
        order = -number(self.seed, "removals", query_id, bits=64)
        is_full = len(self._removals) == MAX_REMOVALS
        if not removed or (is_full and order <= self._removals[0][0]):
            return
        [place] = draw(query_id, removed, 1, self.seed, "removal")
        scored = top[place]
        relevant = {RELEVANT: True, IRRELEVANT: False}.get(int(kinds[place]))
        score = float(values[place])
        removal = Removal(query_id, scored.rank, score, scored.passage_id, relevant)
        heapq.heappush(self._removals, (order, removal))
        if len(self._removals) > MAX_REMOVALS:
            heapq.heappop(self._removals)

    def removals(self) -> list[Removal]:
        """Returns up to 20 removals of different queries, in a random order."""
        return [removal for _, removal in sorted(self._removals, reverse=True)]

    def passages_below(self, edge: float) -> np.ndarray:
        """Returns the numbers of passages [kind, range of ranks] whose score is below an edge."""
        return self.passages[..., : self.edges.searchsorted(edge) + 1].sum(-1)

    def unlabelled_passages(self) -> int:
        """Returns the number of unlabelled passages."""
        return int(self.passages[UNKNOWN:].sum())

    def removed_passages(self) -> int:
        """Returns the number of unlabelled passages that denoising removes."""
        kept = self.passages_below(self.max_negative)[UNKNOWN:].sum()
        return self.unlabelled_passages() - int(kept)

    def queries_with_score_below(self, edge: float) -> int:
        """Returns the number of queries with an unlabelled passage whose score is below an edge."""
        return self.lowest_scores[: self.edges.searchsorted(edge) + 1].sum()

    def best_above(self, edge: float) -> np.ndarray:
        """Returns the numbers of queries [kind] whose best-scored passage is above an edge."""
        return self.best_scores[:, self.edges.searchsorted(edge) + 1 :].sum(1)


def _kind_of(passage_id: str, positives: Collection[str], truth: Collection[str] | None) -> int:
    if passage_id in positives:
        return LABELLED
    if truth is None:
        return UNKNOWN
    return RELEVANT if passage_id in truth else IRRELEVANT
