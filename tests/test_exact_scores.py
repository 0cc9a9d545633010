"""Scores are exact inner products, and keys sort as a ranking does."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy import float32, ndarray, uint32, uint64

from rocketqa.search.exact_scores import (
    EMPTY_KEY,
    Block,
    candidate_scores,
    decode_keys,
    encode_keys,
    float32_error_bounds,
    norms_of,
    round_products,
    smallest_keys,
)


def block_of(vectors: ndarray) -> Block:
    orders = np.arange(len(vectors), dtype=uint32)
    return Block(vectors, norms_of(vectors), orders)


def exact_scores(query: ndarray, block: Block, rows: ndarray) -> ndarray:
    every_pair = np.ones((1, len(rows)), bool)
    return candidate_scores(query[None], block, rows[None], every_pair)[0]


def exact_product(query: ndarray, vector: ndarray) -> Fraction:
    """Returns the inner product as a fraction."""
    total = Fraction(0)
    for a, b in zip(query.tolist(), vector.tolist()):
        total += Fraction(a) * Fraction(b)
    return total


def test_keys_sort_by_score_and_then_by_passage_id():
    scores = np.array([-1.0, 2.0, 0.5, 2.0, -3.0, 0.0], float32)
    orders = np.array([4, 3, 2, 1, 0, 5], uint32)
    keys = encode_keys(scores, orders)
    by_key = np.argsort(keys)
    assert scores[by_key].tolist() == [2.0, 2.0, 0.5, 0.0, -1.0, -3.0]
    assert orders[by_key].tolist() == [1, 3, 2, 5, 4, 0]


def test_scores_and_orders_are_read_back_from_keys():
    scores = np.array([-1.5, 0.0, 1e-40, -1e-40, 3e38, -3e38], float32)
    orders = np.array([0, 1, 2, 3, 4, 2**32 - 1], uint32)
    keys = encode_keys(scores, orders)
    read_scores, read_orders = decode_keys(keys)
    assert read_scores.tolist() == scores.tolist()
    assert read_orders.tolist() == orders.tolist()


def test_a_free_place_sorts_after_every_passage_and_has_no_score():
    worst = encode_keys(float32([-np.inf]), np.array([2**32 - 2], uint32))
    assert worst[0] < EMPTY_KEY
    scores, _ = decode_keys(np.array([EMPTY_KEY]))
    assert np.isnan(scores[0])


def test_the_smallest_keys_of_both_arrays_are_kept():
    keys = np.array([5, 1, 9], uint64)
    more_keys = np.array([2, 8], uint64)
    assert sorted(smallest_keys(keys, more_keys).tolist()) == [1, 2, 5]


def test_a_sum_that_float64_rounds_wrongly_is_computed_exactly():
    query = np.array([1.0, 1.0, 1.0], float32)
    vectors = np.array([[2.0**60, 1.0, -(2.0**60)]], float32)
    scores = exact_scores(query, block_of(vectors), np.array([0]))
    assert scores.tolist() == [1.0]
    wrong = np.array([[0.0]])  # what float64 gives from left to right
    first_row = np.array([[0]])
    scores = round_products(wrong, query[None], block_of(vectors), first_row, first_row == 0)
    assert scores.tolist() == [[1.0]]


def test_minus_zero_becomes_zero():
    query = np.array([-1.0, 0.0], float32)
    vectors = np.array([[0.0, 1.0]], float32)
    [score] = exact_scores(query, block_of(vectors), np.array([0]))
    assert math.copysign(1, score) == 1


@pytest.mark.parametrize("scale", [1.0, 1e-19, 1e17])
def test_float32_products_are_within_their_bound_of_the_exact_score(scale):
    random = np.random.default_rng(5)
    queries = scale * random.standard_normal((20, 48), float32)
    vectors = scale * random.standard_normal((30, 48), float32)
    bounds = float32_error_bounds(norms_of(queries), block_of(vectors))
    products = queries @ vectors.T  # float32 [20, 30]
    for row, query in enumerate(queries):
        for column, vector in enumerate(vectors):
            product = Fraction(float(products[row, column]))
            error = abs(product - exact_product(query, vector))
            assert error <= bounds[row]


def test_scores_are_those_of_exact_fractions():
    random = np.random.default_rng(6)
    query = random.standard_normal(24, float32)
    small = 1e-6 * random.standard_normal((300, 24))
    vectors = (query + small).astype(float32)
    rows = random.permutation(300)[:200]
    scores = exact_scores(query, block_of(vectors), rows)
    for row, score in zip(rows, scores):
        exact = exact_product(query, vectors[row])
        assert score == float32(float(exact))
