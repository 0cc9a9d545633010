"""Rankings of a run as they are measured: in one of three modes, by rank or by score.

strict      By rank: a query has ranks 1, 2, ... and each passage once. A run with scores whose
            ranks begin below 1 is read by score. By score: as trec_eval, which reads no ranks.
official    MS MARCO's script gives a query 1,000 slots: an empty slot holds passage "0", the last
            of two lines with one rank wins, rank 0 is slot 1,000 and rank -1 is slot 999. For
            answers: by rank, whatever the ranks are.
released    Answers only: as official mode.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.measures import Rankings, Warn
from rocketqa.files.columns import at_tabs
from rocketqa.files.errors import DataError, Fault, raise_fault
from rocketqa.files.rows import RAISE_FAULTS, Check
from rocketqa.files.run_order import (
    Contradiction,
    by_score,
    contradiction_of,
    first_rank_below_1,
    lines_by_rank,
)
from rocketqa.files.runs import Ranking, RunFile, iterate_run, open_scores

RANKS = "ranks"  # the kind of a fault: ranks below 1, twice, or with gaps
BY_SCORE_CURE = "; --order score measures the run by its scores and does not read the ranks"
OFFICIAL_SLOTS = 1000
EMPTY_SLOT = "0"
OFFICIAL_IGNORES = (  # the kinds of faults that the official scripts do not notice
    RANKS,
    "duplicate ids",
    "empty text",
    "non-finite scores",
    "final newline",
    "carriage returns",
)


class RankedRun(NamedTuple):
    """The rankings of a run, and what is known about them.

    depth: the number of passages of the longest ranking, or in official mode the highest slot.
    contradiction: of ranks and scores, the first one in the file, where the order is by rank.
    """

    rankings: Rankings
    depth: int
    contradiction: Contradiction | None = None


def ignoring(*kinds: str) -> Check:
    """Returns a check that raises all faults but those of the given kinds."""

    def on_fault(fault: Fault) -> None:
        if fault.kind not in kinds:
            raise_fault(fault)

    return Check(on_fault=on_fault)


OFFICIAL = ignoring(*OFFICIAL_IGNORES)
IGNORE_RANKS = ignoring(RANKS)


def check_in_mode(mode: str) -> Check:
    """Returns the check for the rows of runs and answers: official and released mode share one."""
    return RAISE_FAULTS if mode == "strict" else OFFICIAL


def read_ranked_run(path: Path, mode: str, order: str, warn: Warn) -> RankedRun:
    """Returns the rankings to measure by labels, in strict or official mode."""
    if mode == "strict":
        return _read_strictly(path, order, warn)
    return _read_slots(path, warn)


def read_top_passages(path: Path, depth: int, mode: str, order: str, warn: Warn) -> RankedRun:
    """Returns the top `depth` passages of each query to measure by answers, in any mode."""
    if mode == "strict":
        ranked_run = _read_strictly(path, order, warn)
    else:
        ranked_run = _ranked_run(RunFile(path, OFFICIAL).items())
    rankings = {query_id: ids[:depth] for query_id, ids in ranked_run.rankings.items()}
    return ranked_run._replace(rankings=rankings)


def _read_strictly(path: Path, order: str, warn: Warn) -> RankedRun:
    if order == "score":
        return _by_score(open_scores(path, IGNORE_RANKS))
    faults_of_ranks: list[Fault] = []

    def on_fault(fault: Fault) -> None:
        if fault.kind != RANKS:
            raise_fault(fault)
        if not faults_of_ranks:
            faults_of_ranks.append(fault)

    run = RunFile(path, Check(on_fault=on_fault))
    if not faults_of_ranks:
        return _by_rank(run)
    if not run.has_scores:
        raise faults_of_ranks[0]
    below_1 = first_rank_below_1(run)
    if below_1 is None:
        raise DataError(f"{faults_of_ranks[0]}{BY_SCORE_CURE}")
    row, scored = below_1
    warn(
        f"{row.place}: rank {scored.rank} is below 1: the run is measured by its scores, as "
        "trec_eval does, and its ranks are not read"
    )
    return _by_score(run)


def _by_rank(run: RunFile) -> RankedRun:
    """Returns the rankings by rank, and the first contradiction of ranks and scores."""
    rankings: Rankings = {}
    contradictions = []
    for query_id in run:
        lines = lines_by_rank(run, query_id)
        rankings[query_id] = [scored.passage_id for _, scored in lines]
        contradiction = contradiction_of(lines)
        if contradiction is not None:
            contradictions.append(contradiction)
    return RankedRun(rankings, _longest(rankings), min(contradictions, default=None))


def _by_score(run: RunFile) -> RankedRun:
    return _ranked_run((query_id, by_score(ranking)) for query_id, ranking in run.items())


def _ranked_run(passages: Iterable[tuple[str, Ranking]]) -> RankedRun:
    rankings: Rankings = {}
    for query_id, ranking in passages:
        rankings[query_id] = [scored.passage_id for scored in ranking]
    return RankedRun(rankings, _longest(rankings))


def _longest(rankings: Rankings) -> int:
    """Returns the number of passages of the longest ranking."""
    return max(map(len, rankings.values()), default=0)


def _read_slots(path: Path, warn: Warn) -> RankedRun:
    """Returns the 1,000 slots of each query, and the highest slot that is filled."""
    rankings: Rankings = {}
    highest = 0
    below_1: list[str] = []
    for row, scored in iterate_run(path, OFFICIAL, at_tabs):
        if not -OFFICIAL_SLOTS < scored.rank <= OFFICIAL_SLOTS:
            raise Fault(RANKS, row.place, f"a rank up to {OFFICIAL_SLOTS}", str(scored.rank))
        if scored.rank < 1:
            below_1.append(row.place)
        slots = rankings.setdefault(scored.query_id, [EMPTY_SLOT] * OFFICIAL_SLOTS)
        slots[scored.rank - 1] = scored.passage_id
        slot = scored.rank if scored.rank > 0 else OFFICIAL_SLOTS + scored.rank
        highest = max(highest, slot)
    if below_1:
        warn(
            f"{below_1[0]}: {len(below_1)} ranks are below 1, and this is the first: the official "
            f"script takes rank 0 for rank {OFFICIAL_SLOTS}, and --mode strict measures such a run "
            "by its scores"
        )
    return RankedRun(rankings, highest)


def without_identical_ids(rankings: Rankings) -> Rankings:
    """Returns the rankings without passages whose id is that of their query.

    The passages after such a one move up by a rank.
    """
    kept: Rankings = {}
    for query_id, ranking in rankings.items():
        kept[query_id] = [passage_id for passage_id in ranking if passage_id != query_id]
    return kept


def repeated_passages(rankings: Rankings) -> list[tuple[str, str]]:
    """Returns (query_id, passage_id) of each passage that occurs more than once for a query."""
    repeated = []
    for query_id, ranking in rankings.items():
        for passage_id, count in Counter(ranking).items():
            if count > 1 and passage_id != EMPTY_SLOT:
                repeated.append((query_id, passage_id))
    return repeated
