"""Exact scores of passages, the error bounds behind them, and keys that sort as a ranking does.

The score of a passage is the exact inner product of two float32 vectors, rounded to float64 and
then to float32.

Letters: Q queries, N passages of a block, H vector size.
"""

from typing import NamedTuple

import numpy as np
from numpy import float32, float64, ndarray, uint32, uint64

from rocketqa.search import kernels
from rocketqa.search.exact_sums import exact_sums

FLOAT32_UNIT = 2.0**-24  # largest relative error of one float32 operation
FLOAT64_UNIT = 2.0**-53  # largest relative error of one float64 operation
SMALLEST_FLOAT32 = 2.0**-126  # smallest normal float32; a library may replace smaller numbers by 0
OPEN_PAIRS_AT_ONCE = 64  # each with a query of its own: more would compute too many other pairs
EMPTY_KEY = uint64(2**64 - 1)  # key of a free place in a ranking; sorts after all passages


class Block(NamedTuple):
    """Passages that are in memory together."""

    vectors: ndarray  # float32 [N, H]
    norms: ndarray  # float64 [N], the length |p| of each vector
    orders: ndarray  # uint32 [N], the position of each passage's id among all sorted ids


def encode_keys(
    scores: ndarray,
    orders: ndarray,
) -> ndarray:
    """Returns keys, uint64, that sort by score (descending), then by passage id (ascending).

    scores: float32. orders: uint32, the position of each passage's id among all sorted ids.
    """
    bits = scores.view(uint32)
    high_half = _flip_positive(bits).astype(uint64)
    return high_half << uint64(32) | orders


def decode_keys(keys: ndarray) -> tuple[ndarray, ndarray]:
    """Returns the scores (float32) and orders (uint32) of keys. The score of EMPTY_KEY is nan."""
    high_half = (keys >> uint64(32)).astype(uint32)
    scores = _flip_positive(high_half).view(float32)
    orders = keys.astype(uint32)
    return scores, orders


def _flip_positive(bits: ndarray) -> ndarray:
    """Returns the bits of float32 numbers so that they descend; a second call undoes it."""
    is_negative = bits >> 31
    flipped = bits ^ 0x7FFFFFFF
    return np.where(is_negative, bits, flipped).astype(uint32)


def smallest_keys(
    keys: ndarray,
    more_keys: ndarray,
) -> ndarray:
    """Returns the smallest keys of both arrays, [.., K] and [.., n], as many as `keys` has, in any
    order: [.., K].
    """
    count = keys.shape[-1]
    together = more_keys
    if more_keys.shape[-1] < count or keys.min(initial=EMPTY_KEY) != EMPTY_KEY:
        together = np.concatenate([keys, more_keys], axis=-1)
    smallest_first = np.partition(together, count - 1)
    return smallest_first[..., :count]


def norms_of(vectors: ndarray) -> ndarray:
    """Returns the length of each vector, float64 [n], for vectors [n, H]."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=float64)
    return np.sqrt(squares)


def float32_error_bounds(
    query_norms: ndarray,
    block: Block,
) -> ndarray:
    """Returns the largest error of float32 inner products of queries of some lengths, float64 [Q],
    with a block: float64 [Q].

    The bound covers H multiplications and additions in whatever order, the rounding of the score
    itself, and numbers that are so small that a library replaces them by 0.
    """
    size = block.vectors.shape[1]
    passage_norm = block.norms.max()
    operations = (size + 4) * FLOAT32_UNIT
    rounding = operations / (1 - operations) * query_norms * passage_norm
    underflow = size * SMALLEST_FLOAT32 * (1 + query_norms + passage_norm)
    return rounding + underflow


def candidate_scores(
    queries: ndarray,
    block: Block,
    rows: ndarray,
    wanted: ndarray,
) -> ndarray:
    """Returns the exact scores of queries [Q, H] with passages, float32 [Q, C].

    rows: of the passages in the block, int64 [Q, C]. wanted: bool [Q, C]; the others have score 0.
    """
    if kernels.library() is None:
        products = np.zeros(rows.shape)

        def multiply(some: slice) -> None:
            given = (queries[some], block.vectors, rows[some], wanted[some])
            products[some] = _products_by_numpy(*given)

        kernels.in_threads(multiply, len(queries))
        return round_products(products, queries, block, rows, wanted)
    query_norms, error = norms_of(queries), _float64_error(queries.shape[1])
    scores, is_open = kernels.candidate_scores(
        queries, query_norms, block.vectors, block.norms, error, rows, wanted
    )
    return _settled(scores, is_open, queries, block, rows)


def round_products(
    products: ndarray,
    queries: ndarray,
    block: Block,
    rows: ndarray,
    wanted: ndarray,
) -> ndarray:
    """Returns exact scores, float32 [Q, C], from float64 inner products [Q, C] summed in any order.

    A product whose error leaves its float32 value open is computed again as an exact sum. The other
    arguments are those of `candidate_scores`.
    """
    norms = norms_of(queries)[:, None] * block.norms[rows]  # [Q, C]
    scores, highest = score_bounds(products, norms, queries.shape[1])
    scores[~wanted] = 0
    return _settled(scores, wanted & (scores != highest), queries, block, rows)


def _settled(
    scores: ndarray, is_open: ndarray, queries: ndarray, block: Block, rows: ndarray
) -> ndarray:
    """Returns scores [Q, C], of which those that are open are computed again, as exact sums."""
    of_queries, places = np.nonzero(is_open)
    for begin in range(0, len(places), OPEN_PAIRS_AT_ONCE):
        some = slice(begin, begin + OPEN_PAIRS_AT_ONCE)
        pairs = of_queries[some], places[some]
        left = queries[of_queries[some]].astype(float64)  # [n, H]
        right = block.vectors[rows[pairs]].astype(float64)  # [n, H]
        scores[pairs] = exact_sums(left, right, np.eye(len(left), dtype=bool))
    return scores + float32(0)  # turns -0 into 0


def _products_by_numpy(
    queries: ndarray, vectors: ndarray, rows: ndarray, wanted: ndarray
) -> ndarray:
    """Returns the float64 products of wanted pairs, [Q, C]; 0 elsewhere."""
    products = np.zeros(rows.shape)
    for query, chosen in enumerate(wanted):
        passages = vectors[rows[query, chosen]].astype(float64)  # [n, H]
        # One small product for each passage, so that BLAS starts no threads of its own.
        column = queries[query].astype(float64)[:, None]  # [H, 1]
        products[query, chosen] = np.matmul(passages[:, None, :], column)[:, 0, 0]
    return products


def score_bounds(
    products: ndarray,
    norms: ndarray,
    size: int,
) -> tuple[ndarray, ndarray]:
    """Returns the lowest and the highest score, float32, that float64 inner products allow.

    The products may be summed in any order. norms: |q| |p| of each product. size: H.
    """
    errors = _float64_error(size) * norms
    lowest = products - errors
    highest = products + errors
    return lowest.astype(float32), highest.astype(float32)


def _float64_error(size: int) -> float:
    """Returns the largest error of a float64 inner product of vectors [H] whose norms are 1."""
    return 2 * size * FLOAT64_UNIT
