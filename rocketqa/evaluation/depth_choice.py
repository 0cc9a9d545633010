"""How deep the cross encoder must score a run so that nearly every query has what its training rows
need.

A query needs sure negatives: passages with P(relevant) below `max_negative` that are no labelled
positives. A query without labels also needs a sure positive, a passage above `min_positive`. From
the rank on where a query has all of them, deeper passages add nothing to its negatives, which are
taken by rank. So some drawn queries are scored as deep as is allowed, and the others as deep as
ENOUGH of the drawn ones have needed. Queries that lack something at every depth do not count.
# Deviation: the paper scores to a fixed depth. A switch, THRESHOLDS, paper in `marco.env` and
`nq.env`.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from rocketqa.denoised_hard_negatives import Scores, score_of
from rocketqa.evaluation.tables import YES_OR_NO, Table
from rocketqa.files.runs import ScoredPassage

ENOUGH = 0.95  # share of the queries that have all they need at the largest depth
FEWEST = 20  # such queries; with fewer the share says little, and the depth stays the largest


class Need(NamedTuple):
    """What a query needs among its first passages.

    negatives: passages below `max_negative`, for each labelled positive. min_positive: None where
    no passage above it is needed.
    """

    negatives: int
    max_negative: float
    min_positive: float | None


def rank_with_enough(
    query_id: str,
    ranking: Iterable[ScoredPassage],
    scores: Scores,
    positives: Collection[str],
    need: Need,
) -> int | None:
    """Returns the rank from which on a query has what it needs; None where it lacks something.

    ranking: its passages by rank, as deep as they may be looked at. Raises DataError where a
    passage has no score.
    """
    needed = need.negatives * max(1, len(positives))
    negatives = 0
    best = 0.0
    for scored in ranking:
        score = score_of(scores, query_id, scored.passage_id)
        best = max(best, score)
        if scored.passage_id not in positives and score < need.max_negative:
            negatives += 1
        if negatives - _positive_among_negatives(best, need) >= needed and _is_sure(best, need):
            return scored.rank
    return None


def _is_sure(best: float, need: Need) -> bool:
    """Returns whether the best passage is a positive, where one is needed."""
    return need.min_positive is None or best > need.min_positive


def _positive_among_negatives(best: float, need: Need) -> int:
    """Returns 1 where the best passage, which is the positive, was counted as a negative too."""
    return int(need.min_positive is not None and best < need.max_negative)


class DepthChoice(NamedTuple):
    """The ranks from which on the drawn queries have what they need.

    ranks: those of the queries that have it at the largest depth. queries: how many were drawn.
    """

    ranks: Sequence[int]
    queries: int
    largest: int
    need: Need

    @property
    def chosen(self) -> int:
        """The smallest depth at which ENOUGH of the queries have what they need."""
        if len(self.ranks) < FEWEST:
            return self.largest
        for depth in range(1, self.largest):
            if self._have_enough(depth) >= ENOUGH * len(self.ranks):
                return depth
        return self.largest

    def _have_enough(self, depth: int) -> int:
        """Returns how many queries have what they need among their first `depth` passages."""
        return sum(rank <= depth for rank in self.ranks)

    def table(self) -> Table:
        """Returns the rows of a table by depth; the last column says which one is chosen."""
        table: Table = [["depth", "queries_with_enough", "share_of_drawn", "chosen"]]
        for depth in range(1, self.largest + 1):
            queries = self._have_enough(depth)
            share = round(queries / self.queries, 4)
            table.append([depth, queries, share, YES_OR_NO[depth == self.chosen]])
        return table

    def line(self) -> str:
        """Returns the line of the log, with the evidence."""
        noun = "negative" if self.need.negatives == 1 else "negatives"
        needed = f"{self.need.negatives} {noun} (below {self.need.max_negative:g})"
        if self.need.min_positive is not None:
            needed = f"a positive (above {self.need.min_positive:g}) and {needed}"
        found = (
            f"{len(self.ranks):,} of {self.queries:,} drawn queries have {needed} among their "
            f"first {self.largest:,} passages"
        )
        if len(self.ranks) < FEWEST:
            return f"{found}, fewer than {FEWEST}, so all {self.largest:,} ranks are scored"
        queries = self._have_enough(self.chosen)
        return (
            f"{found}, {queries:,} of these among their first {self.chosen:,}, so {self.chosen:,} "
            "ranks are scored"
        )
