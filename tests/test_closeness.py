"""The closeness of vectors: the largest difference of a component, the cosines, and MRR@10."""

import numpy as np
import pytest

from rocketqa.benchmark.closeness import closeness, mrr_of


def test_the_cosines_are_of_each_vector_and_the_difference_is_of_a_component():
    exact = np.array([[3, 4], [1, 0]], np.float32)
    vectors = np.array([[3, 4], [1, 1]], np.float32)
    found = closeness(vectors, exact)
    assert found.largest_difference == 1
    assert found.least_cosine == pytest.approx(0.5**0.5)
    assert found.mean_cosine == pytest.approx((1 + 0.5**0.5) / 2)


def test_equal_vectors_have_no_difference():
    vectors = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    assert closeness(vectors, vectors) == pytest.approx((0, 1, 1))


def test_mrr_is_of_the_passage_at_the_place_of_each_query_and_ends_at_10():
    passages = np.eye(12, dtype=np.float32)
    assert mrr_of(passages, passages) == 1
    second = 2 * passages[0] + 3 * passages[5]
    tenth = np.r_[0.5, np.ones(9), 0, 0]
    eleventh = np.r_[0.5, np.ones(10), 0]
    queries = np.stack([second, tenth, eleventh]).astype(np.float32)
    for query, expected in zip(queries, (1 / 2, 1 / 10, 0)):
        assert mrr_of(np.r_[query[None], passages[1:]], passages) == pytest.approx(
            (expected + 11) / 12
        )


def test_a_passage_with_the_same_score_stands_before_the_relevant_one():
    passages = np.ones((2, 3), np.float32)
    assert mrr_of(passages, passages) == 0.5
