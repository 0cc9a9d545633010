"""The closeness of vectors: the largest difference of a component, and the cosines."""

import numpy as np
import pytest

from rocketqa.benchmark.closeness import closeness


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
