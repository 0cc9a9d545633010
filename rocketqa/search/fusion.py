"""Fusion: one ranking of a query made of several, such as those of BM25 and of a dual encoder.

Each ranking gives its passages a value between 0 and 1. The values of a passage are multiplied by
the weights of the rankings and added up; a ranking without the passage gives it 0.

    scores   the scores of each ranking, scaled so that its best passage has 1 and its last one 0.
             Where all scores of a ranking are equal, each passage has 1.
    ranks    reciprocal rank fusion: 1 / (60 + rank) (Cormack, Clarke and Buettcher, SIGIR 2009)

A ranking of weight 0 is left out. Fused scores are rounded to float32, which a run holds exactly;
equal ones are ranked by passage_id, ascending, as in every run.

Letters: R rankings, U passages of any of them, G weightings that are compared, N queries.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy import float32, float64, ndarray

Scored = tuple[str, float]  # passage_id, score
Weights = tuple[float, ...]  # one for each ranking; their sum is 1

SCORES, RANKS = "scores", "ranks"
METHODS = (SCORES, RANKS)
RANK_CONSTANT = 60
FUSED_DEPTH = 100  # passages of each ranking that are fused, unless told otherwise
PARTS = 10  # the weights of a grid are tenths


class Pool(NamedTuple):
    """The passages of a query in any of its rankings.

    ids: ascending, U of them. values: what each ranking gives each passage, float64 [R, U].
    found: whether a ranking holds a passage, bool [R, U].
    """

    ids: list[str]
    values: ndarray
    found: ndarray


def pool_of(rankings: Sequence[Sequence[Scored]], method: str) -> Pool:
    """Returns the passages of rankings, which are by rank, with their values."""
    ids: set[str] = set()
    for ranking in rankings:
        ids.update(passage_id for passage_id, _ in ranking)
    ordered = sorted(ids)
    column_of = {passage_id: column for column, passage_id in enumerate(ordered)}
    values = np.zeros((len(rankings), len(ordered)), float64)
    found = np.zeros(values.shape, bool)
    for row, ranking in enumerate(rankings):
        columns = [column_of[passage_id] for passage_id, _ in ranking]
        values[row, columns] = _values(ranking, method)
        found[row, columns] = True
    return Pool(ordered, values, found)


def _values(ranking: Sequence[Scored], method: str) -> ndarray:
    """Returns the value of each passage of a ranking, float64 [n]."""
    if method == RANKS:
        return 1 / (RANK_CONSTANT + np.arange(1, len(ranking) + 1, dtype=float64))
    halves = np.array([score for _, score in ranking], float64) / 2  # their difference is finite
    if not len(halves):
        return halves
    lowest = halves.min()
    width = halves.max() - lowest
    if width == 0:
        return np.ones(len(halves), float64)
    return (halves - lowest) / width


def fused_scores(pool: Pool, weights: ndarray) -> ndarray:
    """Returns the fused score of each passage, float32 [G, U], for weights [G, R].

    A passage that only rankings of weight 0 hold has -infinity.
    """
    scores = np.zeros((len(weights), len(pool.ids)), float64)
    is_found = np.zeros(scores.shape, bool)
    for row, (values, found) in enumerate(zip(pool.values, pool.found)):
        weight = weights[:, row : row + 1]  # [G, 1]
        scores += weight * values
        is_found |= (weight > 0) & found
    scores[~is_found] = -np.inf
    return scores.astype(float32)


def fuse(
    rankings: Sequence[Sequence[Scored]], weights: Sequence[float], method: str = SCORES
) -> list[Scored]:
    """Returns one ranking of several, by (score descending, passage_id ascending)."""
    pool = pool_of(rankings, method)
    [scores] = fused_scores(pool, np.array([weights], float64))
    order = np.argsort(-scores, kind="stable")  # the ids are ascending
    kept = [column for column in order.tolist() if scores[column] != -np.inf]
    return [(pool.ids[column], float(scores[column])) for column in kept]


def shares(weights: Sequence[float]) -> Weights:
    """Returns weights divided by their sum."""
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def weight_grid(count: int) -> list[Weights]:
    """Returns all weights of `count` rankings that are tenths and add up to 1."""
    return [tuple(parts / PARTS for parts in split) for split in _splits(PARTS, count)]


def _splits(parts: int, count: int) -> list[tuple[int, ...]]:
    """Returns the ways to split a number of parts among `count`, in ascending order."""
    if count == 1:
        return [(parts,)]
    splits = []
    for first in range(parts + 1):
        for rest in _splits(parts - first, count - 1):
            splits.append((first, *rest))
    return splits


def reciprocal_ranks(
    pool: Pool, weights: ndarray, relevant: Collection[str], depth: int
) -> ndarray:
    """Returns 1 / rank of the first relevant passage with weights [G, R]: float64 [G].

    It is 0 where none of the first `depth` passages is relevant.
    """
    scores = fused_scores(pool, weights)
    best = np.zeros(len(weights), float64)
    for column, passage_id in enumerate(pool.ids):
        if passage_id not in relevant:
            continue
        score = scores[:, column : column + 1]  # [G, 1]
        above = (scores > score).sum(axis=1)
        equal_before = (scores[:, :column] == score).sum(axis=1)
        rank = 1 + above + equal_before
        counts = (rank <= depth) & (score[:, 0] != -np.inf)
        best = np.maximum(best, counts / rank)
    return best


def best_weights(grid: Sequence[Weights], ranks: ndarray) -> Weights:
    """Returns the most equal weights among those that are about as good as the best.

    ranks: the reciprocal ranks of N queries with each of the weights, float64 [N, G]. Weights are
    about as good where the mean over the queries is below the highest one by at most one standard
    error of their difference (the one-standard-error rule of Breiman, Friedman, Olshen and Stone,
    1984), because few queries cannot tell them apart. Where two are as equal, the better are taken,
    then the first.
    """
    values = ranks.mean(axis=0)
    best = values.argmax()
    losses = values[best] - values
    spreads = (ranks[:, best : best + 1] - ranks).std(axis=0)
    about_as_good = np.flatnonzero(losses <= spreads / np.sqrt(len(ranks)))
    place = min(about_as_good, key=lambda one: (unevenness(grid[one]), -values[one], one))
    return grid[place]


def unevenness(weights: Weights) -> float:
    """Returns how far weights are from equal ones; rounded, as weights are."""
    return round(sum(weight**2 for weight in weights), 9)
