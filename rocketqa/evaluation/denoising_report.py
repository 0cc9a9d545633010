"""What the cross encoder's thresholds do to a run: the paper's figure 5, and what one needs to choose them.

removed     an unlabelled passage whose P(relevant) is not below `max_negative`: no hard negative
labelled    a positive of the labels, which a good cross encoder does not take for a negative
truth       complete judgements, where there are such: they tell which unlabelled passage is relevant
"""

import heapq
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rocketqa.denoised_hard_negatives import Scores, drawn, score_of
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import number

RANK_ENDS = np.array(
    [1, 2, 5, *range(10, 101, 10), *range(200, 1001, 100)]
)  # the last range has no end
THRESHOLDS = (
    0.01,
    0.02,
    0.05,
    *(round(0.1 * tenth, 1) for tenth in range(1, 10)),
    0.95,
    0.98,
    0.99,
)
LABELLED, UNKNOWN, IRRELEVANT, RELEVANT = range(
    4
)  # what is known of a passage; the last two by truth
UNLABELLED = (UNKNOWN, IRRELEVANT, RELEVANT)
SAMPLED = 20

Table = list[list[object]]  # the names of its columns, then its rows


class Removal(NamedTuple):
    """An unlabelled passage that is no hard negative."""

    query_id: str
    rank: int
    score: float
    passage_id: str
    relevant: bool | None  # by truth


class DenoisingReport:
    """Counts over the queries that were added; memory does not grow with them."""

    def __init__(self, max_negative: float, min_positive: float, seed: int):
        self.max_negative, self.min_positive, self.seed = max_negative, min_positive, seed
        self.edges = np.unique([*THRESHOLDS, max_negative, min_positive])
        bins = len(self.edges) + 1
        self.queries = 0
        self.counts = np.zeros(
            (len(UNLABELLED) + 1, len(RANK_ENDS) + 1, bins), np.int64
        )  # kind, ranks, score
        self.lowest, self.best = (
            np.zeros(bins, np.int64),
            np.zeros((len(UNLABELLED) + 1, bins), np.int64),
        )
        self._sample: list[tuple[int, Removal]] = []

    def add(
        self,
        query_id: str,
        top: Sequence[ScoredPassage],
        scores: Scores,
        positives: Collection[str],
        truth: Collection[str] | None,
    ) -> None:
        """Counts one query's top passages. `truth`: its relevant passages, None where nobody knows."""
        if not top:
            return
        unknown = UNKNOWN if truth is None else IRRELEVANT
        kinds = np.array(
            [
                LABELLED
                if scored.passage_id in positives
                else RELEVANT
                if truth and scored.passage_id in truth
                else unknown
                for scored in top
            ]
        )
        values = np.array([score_of(scores, query_id, scored.passage_id) for scored in top])
        ranges = RANK_ENDS.searchsorted([scored.rank for scored in top])
        np.add.at(self.counts, (kinds, ranges, self.edges.searchsorted(values, "right")), 1)
        self.queries += 1
        open_values = values[kinds != LABELLED]
        if len(open_values):
            self.lowest[self.edges.searchsorted(open_values.min(), "right")] += 1
            best = values.argmax()
            self.best[kinds[best], self.edges.searchsorted(values[best])] += (
                1  # a score on an edge is not above it
            )
        self._note_removal(query_id, top, values, kinds)

    def _note_removal(self, query_id, top, values, kinds) -> None:
        """Keeps one removal of a query, of the queries that chance puts first."""
        removed = np.flatnonzero((kinds != LABELLED) & (values >= self.max_negative)).tolist()
        order = -number(self.seed, "removals", query_id, bits=64)
        if removed and (len(self._sample) < SAMPLED or order > self._sample[0][0]):
            (place,) = drawn(query_id, removed, 1, self.seed, "removal")
            relevant = {RELEVANT: True, IRRELEVANT: False}.get(int(kinds[place]))
            removal = Removal(
                query_id, top[place].rank, float(values[place]), top[place].passage_id, relevant
            )
            heapq.heappush(self._sample, (order, removal))
            if len(self._sample) > SAMPLED:
                heapq.heappop(self._sample)

    def removals(self) -> list[Removal]:
        """Returns up to 20 removals, each of another query, drawn by chance."""
        return [removal for _, removal in sorted(self._sample, reverse=True)]

    def _below(self, edge: float) -> np.ndarray:
        """Returns how many scores of each kind and range of ranks are below an edge."""
        return self.counts[..., : self.edges.searchsorted(edge) + 1].sum(-1)

    def by_rank(self) -> Table:
        """Returns figure 5: the share of the unlabelled passages that is removed, by range of ranks."""
        rows: Table = [
            [
                "first_rank",
                "last_rank",
                "unlabelled",
                "removed",
                "share_removed",
                "relevant",
                "relevant_removed",
                "irrelevant",
                "irrelevant_removed",
            ]
        ]
        kept, all_of = self._below(self.max_negative), self.counts.sum(-1)
        for place, (first, last) in enumerate(zip([1, *RANK_ENDS + 1], [*RANK_ENDS, "more"])):
            total, left = all_of[1:, place], kept[1:, place]
            if total.sum():
                removed = total - left
                by_truth = (
                    [total[2], removed[2], total[1], removed[1]] if total[1:].any() else [""] * 4
                )
                rows.append(
                    [
                        first,
                        last,
                        total.sum(),
                        removed.sum(),
                        share(removed.sum(), total.sum()),
                        *by_truth,
                    ]
                )
        return rows

    def by_score(self) -> Table:
        """Returns the histogram of P(relevant)."""
        counts = self.counts.sum(1)
        return [
            ["from", "below", "labelled", "unlabelled", "relevant", "irrelevant"],
            *(
                [
                    low,
                    high,
                    counts[LABELLED, place],
                    counts[1:, place].sum(),
                    counts[RELEVANT, place],
                    counts[IRRELEVANT, place],
                ]
                for place, (low, high) in enumerate(zip([0.0, *self.edges], [*self.edges, 1.0]))
            ),
        ]

    def as_max_negative(self) -> Table:
        """Returns what each threshold would leave as hard negatives, and what it would cost."""
        rows: Table = [
            [
                "threshold",
                "negatives",
                "share_removed",
                "queries_with_negatives",
                "labelled_taken_for_negatives",
                "share_of_negatives_relevant",
            ]
        ]
        total = self.counts.sum((1, 2))
        for edge in self.edges:
            below = self._below(edge).sum(1)
            rows.append(
                [
                    edge,
                    below[1:].sum(),
                    share(total[1:].sum() - below[1:].sum(), total[1:].sum()),
                    self.lowest[: self.edges.searchsorted(edge) + 1].sum(),
                    share(below[LABELLED], total[LABELLED]),
                    share(below[RELEVANT], below[IRRELEVANT] + below[RELEVANT]),
                ]
            )
        return rows

    def as_min_positive(self) -> Table:
        """Returns what each threshold would leave as pseudo-positives: a query's best passage above it."""
        rows: Table = [
            ["threshold", "queries_with_a_positive", "share_of_queries", "labelled_or_relevant"]
        ]
        for edge in self.edges:
            above = self.best[:, self.edges.searchsorted(edge) + 1 :].sum(1)
            right, wrong = above[LABELLED] + above[RELEVANT], above[IRRELEVANT]
            rows.append(
                [edge, above.sum(), share(above.sum(), self.queries), share(right, right + wrong)]
            )
        return rows


def share(part: int, whole: int) -> float | str:
    """Returns a share of 1, to four digits; nothing of nothing."""
    return round(float(part / whole), 4) if whole else ""


def tsv_lines(table: Table) -> Iterator[str]:
    """Yields a table's lines, the names of its columns first."""
    return ("\t".join(map(str, row)) for row in table)


def markdown_lines(table: Table) -> Iterator[str]:
    """Yields a table's lines in Markdown."""
    for place, row in enumerate(table):
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        if place == 0:
            yield "| --- " * len(row) + "|"
