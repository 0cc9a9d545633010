"""Measures of a run: per query first, then the mean over the queries of the judgements.

    MRR@k       1 / rank of the first relevant passage among the top k, 0 without one
    Success@k   1 where any relevant passage is among the top k: what the paper's tables call "R@k"
    Recall@k    share of the relevant passages among the top k

A query that the run lacks counts 0. `official` mode sees what the official MS MARCO script sees: its 1,000 slots,
where a short list is padded with passage "0", the last of two lines for a rank wins and rank 0 is slot 1,000.
`strict` mode refuses ranks that are not 1, 2, ... and passages that come twice, and knows no padding.
"""
from collections.abc import Callable, Iterable
from pathlib import Path

from rocketqa.formats import DataError, iterate_run, read_run

Rankings = dict[str, list[str]]  # query_id -> passage ids by rank
OFFICIAL_SLOTS = 1000


def read_rankings(path: Path, mode: str) -> Rankings:
    """Returns the passage ids of each query by rank. Raises DataError on what the mode refuses."""
    if mode == "strict":
        return {query_id: [scored.passage_id for scored in ranking] for query_id, ranking in read_run(path).items()}
    rankings: Rankings = {}
    for place, scored in iterate_run(path):
        if scored.rank > OFFICIAL_SLOTS:
            raise DataError(f"{place}: expected a rank up to {OFFICIAL_SLOTS}, got {scored.rank}")
        slots = rankings.setdefault(scored.query_id, ["0"] * OFFICIAL_SLOTS)
        slots[scored.rank - 1] = scored.passage_id
    return rankings


def reciprocal_rank(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns 1 / rank of the first relevant passage among the top k, or 0."""
    return next((1 / rank for rank, passage_id in enumerate(ranking[:k], 1) if passage_id in relevant), 0.0)


def success(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns 1 where a relevant passage is among the top k, else 0."""
    return float(any(passage_id in relevant for passage_id in ranking[:k]))


def recall(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns the share of the relevant passages that is among the top k."""
    relevant = set(relevant)
    return len(relevant.intersection(ranking[:k])) / len(relevant)


MEASURES: dict[str, Callable[[list[str], Iterable[str], int], float]] = {
    "MRR": reciprocal_rank, "Success": success, "Recall": recall}


def parse_measure(name: str) -> tuple[Callable, int]:
    """Returns the function and k of `MRR@10` and the like. Raises DataError on another name."""
    kind, _, k = name.partition("@")
    if kind not in MEASURES or not k.isdecimal() or int(k) < 1:
        raise DataError(f"measure: expected one of {', '.join(MEASURES)} and @k, got {name}")
    return MEASURES[kind], int(k)


def per_query(rankings: Rankings, positives: dict[str, list[str]], measure: str) -> dict[str, float]:
    """Returns query_id -> value for every judged query. Raises DataError where run and judgements share no query."""
    function, k = parse_measure(measure)
    if not rankings.keys() & positives.keys():
        raise DataError("run: expected queries of the judgements, got none of them")
    return {query_id: function(rankings.get(query_id, []), relevant, k) for query_id, relevant in positives.items()}


def mean(values: dict[str, float]) -> float:
    """Returns the mean over queries."""
    return sum(values.values()) / len(values)
