"""The two orders of a run, by its ranks and by its scores, and where they contradict each other.

trec_eval reads no ranks. It orders the passages of a query by score, and equal scores by
passage_id, both descending.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from rocketqa.files.runs import Ranking, RunFile, RunLine, ScoredPassage


class Contradiction(NamedTuple):
    """A line of a run whose score is above that of the rank before it."""

    line_number: int
    text: str  # the line, its query, and both ranks and scores


def by_score(passages: Iterable[ScoredPassage]) -> Ranking:
    """Returns the passages of a query in the order of trec_eval.

    Scores are compared as float64, as in trec_eval 10; versions up to 9.0.8 round them to float32.
    """
    return sorted(passages, key=attrgetter("score", "passage_id"), reverse=True)


def lines_by_rank(run: RunFile, query_id: str) -> list[RunLine]:
    """Returns the lines of a query by rank."""
    return sorted(run.lines(query_id), key=_rank_of)


def _rank_of(line: RunLine) -> int:
    """Returns the rank of a line of a run."""
    return line[1].rank


def contradiction_of(lines: Sequence[RunLine]) -> Contradiction | None:
    """Returns the first contradiction in the lines of a query, which are by rank."""
    scores = [scored.score for _, scored in lines]
    if scores == sorted(scores, reverse=True):
        return None
    found = []
    for (_, before), (row, scored) in pairwise(lines):
        if scored.score > before.score:
            text = (
                f"{row.place}: the ranks contradict the scores: rank {scored.rank} of query "
                f"{scored.query_id} has the score {scored.score!r}, "
                f"rank {before.rank} the score {before.score!r}"
            )
            found.append(Contradiction(row.number, text))
    return min(found, default=None)


def first_contradiction(run: RunFile) -> Contradiction | None:
    """Returns the contradiction of a run that is first in the file."""
    found = []
    for query_id in run:
        contradiction = contradiction_of(lines_by_rank(run, query_id))
        if contradiction is not None:
            found.append(contradiction)
    return min(found, default=None)


def first_rank_below_1(run: RunFile) -> RunLine | None:
    """Returns the first line of the file with a rank below 1."""
    found = []
    for query_id in run:
        found += [line for line in run.lines(query_id) if line[1].rank < 1]
    return min(found, key=_number_of, default=None)


def _number_of(line: RunLine) -> int:
    """Returns the line number of a line of a run."""
    return line[0].number
