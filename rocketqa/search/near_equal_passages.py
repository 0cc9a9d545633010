"""The best passages of queries to which very many passages are nearly equal.

The float32 products of faiss cannot order such passages. Here every passage of a block gets a
float64 product, and those passages an exact score that may be among the best and whose float64
product leaves the score open. The work is some matrix products, whatever the vectors are.

Letters: Q queries, N passages of a block, n passages of a part of it, H vector size, K depth.
"""

import numpy as np
from numpy import float32, float64, ndarray

from rocketqa.search.exact_scores import (
    Block,
    decode_keys,
    encode_keys,
    norms_of,
    score_bounds,
    smallest_keys,
)
from rocketqa.search.exact_sums import exact_sums

PASSAGES_AT_ONCE = 512  # passages in one float64 product with all queries


def merge_all_passages(best: ndarray, queries: ndarray, block: Block) -> None:
    """Replaces the keys of the best passages, uint64 [Q, K], where those of a block are better."""
    if len(queries) == 0:
        return
    queries = queries.astype(float64)
    for begin in range(0, len(block.vectors), PASSAGES_AT_ONCE):
        rows = slice(begin, begin + PASSAGES_AT_ONCE)
        part = Block(block.vectors[rows], block.norms[rows], block.orders[rows])
        _merge_part(best, queries, part)


def _merge_part(best: ndarray, queries: ndarray, part: Block) -> None:
    """Replaces the keys of the best passages, uint64 [Q, K], where those of a part are better.

    Passages that cannot be among the best by the bounds of their scores get no exact score.
    """
    passages = part.vectors.astype(float64)  # [n, H]
    products = queries @ passages.T  # [Q, n]
    norms = norms_of(queries)[:, None] * part.norms  # [Q, n]
    scores, highest = score_bounds(products, norms, queries.shape[1])
    is_possible = possible_passages(best, scores, highest, part.orders)
    is_open = is_possible & (scores != highest)
    if is_open.any():
        some_queries = is_open.any(axis=1)
        some_passages = is_open.any(axis=0)
        scores[is_open] = exact_sums(
            queries[some_queries],
            passages[some_passages],
            is_open[some_queries][:, some_passages],
        )
    scores += float32(0)  # turns -0 into 0
    for row in np.flatnonzero(is_possible.any(axis=1)):
        chosen = is_possible[row]
        keys = encode_keys(scores[row, chosen], part.orders[chosen])
        best[row] = smallest_keys(best[row], keys)


def possible_passages(
    best: ndarray,
    lowest: ndarray,
    highest: ndarray,
    orders: ndarray,
) -> ndarray:
    """Returns which passages may be among the best K of each query: bool [Q, n].

    best: keys [Q, K] so far. lowest, highest: bounds of the scores, float32 [Q, n].
    """
    worst, _ = decode_keys(best.max(axis=1))  # nan where there are fewer than K
    is_possible = ~(highest < worst[:, None])
    for row in np.flatnonzero(is_possible.any(axis=1)):
        chosen = np.flatnonzero(is_possible[row])
        # The score of a passage is at least its lowest one, so this many keys are at most `limit`.
        latest_keys = encode_keys(lowest[row, chosen] + float32(0), orders[chosen])
        earliest_keys = encode_keys(highest[row, chosen] + float32(0), orders[chosen])
        limit = smallest_keys(best[row], latest_keys).max()
        is_possible[row, chosen] = earliest_keys <= limit
    return is_possible
