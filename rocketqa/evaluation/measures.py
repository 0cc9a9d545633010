"""Measures of a run: a value for each query, and their mean over the judged queries.

    MRR@k       1 / rank of the first relevant passage among the top k, 0 without one
    Success@k   1 if a relevant passage is among the top k, else 0: "R@k" in the paper's tables
    Recall@k    share of the relevant passages that are among the top k
    accuracy@k  1 if a passage among the top k holds an answer, else 0: DPR's top-k accuracy

A judged query that the run lacks has the value 0.
"""

from collections.abc import Callable, Iterable

from rocketqa.files.errors import DataError

RankedIds = list[str]  # passage ids of a query by rank
Relevant = Iterable[str]  # ids of the relevant passages of a query
Rankings = dict[str, RankedIds]  # query_id -> its ranking
Judgements = dict[str, list[str]]  # query_id -> ids of its relevant passages
Measure = Callable[[RankedIds, Relevant, int], float]  # ranking, relevant, k -> value


def reciprocal_rank(ranking: RankedIds, relevant: Relevant, k: int) -> float:
    """Returns 1 / rank of the first relevant passage among the top k, 0 without one."""
    for rank, passage_id in enumerate(ranking[:k], 1):
        if passage_id in relevant:
            return 1 / rank
    return 0.0


def success(ranking: RankedIds, relevant: Relevant, k: int) -> float:
    """Returns 1 if a relevant passage is among the top k, else 0."""
    for passage_id in ranking[:k]:
        if passage_id in relevant:
            return 1.0
    return 0.0


def recall(ranking: RankedIds, relevant: Relevant, k: int) -> float:
    """Returns the share of the relevant passages that are among the top k."""
    wanted = set(relevant)
    retrieved = wanted.intersection(ranking[:k])
    return len(retrieved) / len(wanted)


MEASURES: dict[str, Measure] = {
    "MRR": reciprocal_rank,
    "Success": success,
    "Recall": recall,
    "accuracy": success,
}


def parse_measure(name: str) -> tuple[Measure, int]:
    """Returns the function and k of a name such as `MRR@10`. Raises DataError for another name."""
    kind, _, k = name.partition("@")
    is_known = kind in MEASURES
    if is_known and k.isdecimal() and int(k) >= 1:
        return MEASURES[kind], int(k)
    kinds = ", ".join(MEASURES)
    raise DataError(f"measure: expected one of {kinds} and @k, got {name}")


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
