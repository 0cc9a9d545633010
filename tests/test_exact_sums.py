"""Inner products of slices are exact, for any float32 numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy import float32, float64, ndarray

from rocketqa.search.exact_sums import exact_sums, rounded_sums, slice_bits, slices_of


def float32_vectors(count: int, size: int, smallest: int, largest: int) -> ndarray:
    """Returns vectors of float32 numbers whose exponents are between two numbers."""
    random = np.random.default_rng(size)
    exponents = random.integers(smallest, largest, (count, size))
    vectors = np.ldexp(random.standard_normal((count, size)), exponents)
    return vectors.astype(float32).astype(float64)


def exact_product(query: ndarray, passage: ndarray) -> float:
    """Returns the inner product of fractions, rounded to float64."""
    terms = [Fraction(a) * Fraction(b) for a, b in zip(query.tolist(), passage.tolist())]
    return float(sum(terms))


@pytest.mark.parametrize("smallest, largest", [(0, 1), (-12, 12), (-140, -120), (-149, 120)])
def test_the_slices_of_a_vector_add_up_to_it(smallest, largest):
    vectors = float32_vectors(5, 20, smallest, largest)
    vectors[2] = 0
    slices, exponents = slices_of(vectors)
    bits = slice_bits(20)
    for row, vector in enumerate(vectors):
        for place, number in enumerate(vector):
            total = Fraction(0)
            for index, part in enumerate(slices):
                assert abs(part[row, place]) <= 2**bits
                scale = Fraction(2) ** (int(exponents[row]) - bits * (index + 1))
                total += Fraction(part[row, place]) * scale
            assert total == Fraction(number)


@pytest.mark.parametrize("size", [1, 3, 24, 768, 1025])
def test_the_product_of_two_slices_is_below_2_to_the_50(size):
    assert size * 2 ** (2 * slice_bits(size)) <= 2**50


@pytest.mark.parametrize("size", [1, 2, 24, 300])
@pytest.mark.parametrize("smallest, largest", [(0, 1), (-12, 12), (-149, -120), (-149, 120)])
def test_products_are_those_of_fractions(size, smallest, largest):
    queries = float32_vectors(3, size, smallest, largest)
    passages = float32_vectors(10, size, smallest, largest)[3:]
    passages[4] = -passages[3]
    passages[5] = queries[0]
    is_wanted = np.ones((3, 7), bool)
    is_wanted[1, ::2] = False
    found = exact_sums(queries, passages, is_wanted)
    expected = [exact_product(queries[q], passages[p]) for q, p in np.argwhere(is_wanted)]
    assert found.tolist() == expected


def test_sums_are_rounded_once():
    half = 2.0**-53
    columns = [
        [1.0, half, 0.0, 0.0],  # a tie: to the even neighbour
        [1.0, half, 2.0**-120, 0.0],  # above the tie
        [1.0, -half / 2, -(2.0**-120), 0.0],
        [1.0, half, -(2.0**-200), 2.0**-300],
        [2.0**60, 1.0, -(2.0**60), 2.0**-60],
        [1.0, -1.0, 0.0, 0.0],
    ]
    found = rounded_sums(np.array(columns).T)
    assert found.tolist() == [math.fsum(column) for column in columns]
