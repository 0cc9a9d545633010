"""Measures of a run: a value for each query, and their mean over the judged queries.

    MRR@k       1 / rank of the first relevant passage among the top k, 0 without one
    Success@k   1 if a relevant passage is among the top k, else 0: "R@k" in the paper's tables
    Recall@k    share of the relevant passages that are among the top k
    nDCG@k      gains of the top k, each divided by log2(rank + 1), as a share of those of the best
                order; the gain of a passage is its relevance
    MAP@k       precision at the rank of each relevant passage among the top k, summed, and divided
                by the number of relevant passages; MAP is over the whole ranking
    accuracy@k  1 if a passage among the top k holds an answer, else 0: DPR's top-k accuracy

All but accuracy@k are trec_eval's. A judged query that the run lacks has the value 0.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from math import log2

from rocketqa.files.errors import DataError

RankedIds = list[str]  # passage ids of a query by rank
Relevant = Mapping[str, int]  # passage id -> relevance, of the relevant passages of a query
Rankings = dict[str, RankedIds]  # query_id -> its ranking
Judgements = dict[str, dict[str, int]]  # query_id -> passage_id -> relevance
Measure = Callable[[RankedIds, Relevant, int | None], float]  # ranking, relevant, k -> value
Warn = Callable[[str], None]  # gets each remark on a run


def reciprocal_rank(ranking: RankedIds, relevant: Container[str], k: int | None) -> float:
    """Returns 1 / rank of the first relevant passage among the top k, 0 without one."""
    for rank, passage_id in enumerate(ranking[:k], 1):
        if passage_id in relevant:
            return 1 / rank
    return 0.0


def success(ranking: RankedIds, relevant: Container[str], k: int | None) -> float:
    """Returns 1 if a relevant passage is among the top k, else 0."""
    for passage_id in ranking[:k]:
        if passage_id in relevant:
            return 1.0
    return 0.0


def recall(ranking: RankedIds, relevant: Iterable[str], k: int | None) -> float:
    """Returns the share of the relevant passages that are among the top k."""
    wanted = set(relevant)
    retrieved = wanted.intersection(ranking[:k])
    return len(retrieved) / len(wanted)


def average_precision(ranking: RankedIds, relevant: Iterable[str], k: int | None) -> float:
    """Returns the mean of the precisions at the ranks of all relevant passages.

    A passage that is not among the top k has the precision 0. A repeated one counts once.
    """
    remaining = set(relevant)
    wanted = len(remaining)
    total = 0.0
    for rank, passage_id in enumerate(ranking[:k], 1):
        if passage_id in remaining:
            remaining.remove(passage_id)
            total += (wanted - len(remaining)) / rank
    return total / wanted


def ndcg(ranking: RankedIds, gains: Relevant, k: int | None) -> float:
    """Returns the discounted gain of the top k as a share of that of the best order.

    A gain below 0 counts 0, and a repeated passage once.
    """
    remaining = {passage_id: gain for passage_id, gain in gains.items() if gain > 0}
    best_gains = sorted(remaining.values(), reverse=True)
    found_gains = [remaining.pop(passage_id, 0) for passage_id in ranking[:k]]
    best = _discounted(best_gains[:k])
    return _discounted(found_gains) / best if best else 0.0


def _discounted(gains: Iterable[int]) -> float:
    """Returns the sum of gains, which are by rank, each divided by log2(rank + 1)."""
    total = 0.0
    for rank, gain in enumerate(gains, 1):
        total += gain / log2(rank + 1)
    return total


MEASURES: dict[str, Measure] = {
    "MRR": reciprocal_rank,
    "Success": success,
    "Recall": recall,
    "nDCG": ndcg,
    "MAP": average_precision,
    "accuracy": success,
}
WITHOUT_K = ("MAP",)  # the measures that need no k
GRADED = ("nDCG",)  # the measures that read the relevance of each passage


def parse_measure(name: str) -> tuple[Measure, int | None]:
    """Returns the function and k of a name such as `MRR@10`; k is None for `MAP`.

    Raises DataError for another name.
    """
    kind, at, k = name.partition("@")
    if kind in WITHOUT_K and not at:
        return MEASURES[kind], None
    is_known = kind in MEASURES
    if is_known and k.isdecimal() and int(k) >= 1:
        return MEASURES[kind], int(k)
    kinds = ", ".join(MEASURES)
    raise DataError(f"measure: expected one of {kinds} and @k, or MAP, got {name}")


def is_graded(measure: str) -> bool:
    """Returns whether a measure reads the relevance of each passage."""
    return measure.startswith(GRADED)


def per_query(rankings: Rankings, judgements: Judgements, measure: str) -> dict[str, float]:
    """Returns query_id -> value for every judged query.

    The queries of the run come first, in its order. Raises DataError if no query of the run is
    judged.
    """
    function, k = parse_measure(measure)
    evaluated = [query_id for query_id in rankings if query_id in judgements]
    if not evaluated:
        raise DataError("run: expected queries of the judgements, got none of them")
    values = {}
    for query_id in dict.fromkeys([*evaluated, *judgements]):
        ranking = rankings.get(query_id, [])
        values[query_id] = function(ranking, judgements[query_id], k)
    return values


def mean(values: dict[str, float]) -> float:
    """Returns the mean over the queries.

    The values are added one by one in their order, so that the last digit is that of the official
    script.
    """
    total = 0.0
    for value in values.values():
        total += value
    return total / len(values)
