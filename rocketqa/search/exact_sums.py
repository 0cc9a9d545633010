"""Exact inner products of float32 vectors by matrix products in float64 that do not round.

A vector is cut into slices, from its highest bits to its lowest. A slice holds integers of so few
bits that the inner product of two slices is an integer below 2^53, which float64 holds in whatever
order a library adds (Ozaki, Ogita, Oishi and Rump, "Error-free transformations of matrix
multiplication", 2012). So exact products of many nearly equal vectors cost some matrix products.

Letters: Q queries, N passages, H vector size, S slices.
"""

import math

import numpy as np
from numpy import ndarray

FLOAT64_BITS = 53
# An inner product is a sum over levels, and a level is a sum over the pairs of slices that have one
# scale. It has at most 28 pairs (277 bits hold any float32, and a slice at least 10 of them). Only
# the first slice of a vector uses all its bits, the others one less, so the sum takes 3 bits more.
LEVEL_BITS = 3


def slice_bits(size: int) -> int:
    """Returns the number of bits in a slice of vectors of a size H."""
    bits_of_sum = math.ceil(math.log2(size))
    return (FLOAT64_BITS - LEVEL_BITS - bits_of_sum) // 2


def slices_of(vectors: ndarray) -> tuple[list[ndarray], ndarray]:
    """Returns S slices, integers in float64 [N, H], and the exponent of each vector, int [N].

    A vector is the sum of slices[i] * 2 ** (exponent - slice_bits * (i + 1)). vectors: float64
    [N, H] that are numbers of float32.
    """
    bits = slice_bits(vectors.shape[1])
    largest = np.abs(vectors).max(axis=1)
    _, exponents = np.frexp(largest)
    rest = vectors * 2.0 ** -exponents[:, None]  # between -1 and 1; exact, as all that follows
    slices: list[ndarray] = []
    while not slices or rest.any():
        shifted = rest * 2.0**bits
        whole = np.rint(shifted)
        slices.append(whole)
        rest = shifted - whole
    return slices, exponents


def exact_sums(
    queries: ndarray,
    passages: ndarray,
    is_wanted: ndarray,
) -> ndarray:
    """Returns the exact inner products, rounded to float64, of the wanted pairs, by query: [n].

    queries: float64 [Q, H] and passages: float64 [N, H] that are numbers of float32. is_wanted:
    bool [Q, N].
    """
    bits = slice_bits(queries.shape[1])
    query_slices, query_exponents = slices_of(queries)
    passage_slices, passage_exponents = slices_of(passages)
    level_count = len(query_slices) + len(passage_slices) - 1
    levels = np.zeros((level_count, *is_wanted.shape))
    for i, query_slice in enumerate(query_slices):
        for j, passage_slice in enumerate(passage_slices):
            levels[i + j] += query_slice @ passage_slice.T  # [Q, N]
    exponents = query_exponents[:, None] + passage_exponents
    terms = []
    for level, products in enumerate(levels):
        shift = exponents[is_wanted] - bits * (level + 2)
        terms.append(np.ldexp(products[is_wanted], shift))
    return rounded_sums(np.stack(terms))


def rounded_sums(terms: ndarray) -> ndarray:
    """Returns the sum of each column of [n, m], rounded once to float64: [m]."""
    totals = terms[0]
    rests = np.zeros_like(totals)
    is_exact = np.ones(totals.shape, bool)  # whether total + rest is the sum so far
    for more in terms[1:]:
        totals, errors = _sum_and_error(totals, more)
        rests, lost = _sum_and_error(rests, errors)
        is_exact &= lost == 0
    sums = totals + rests
    for column in np.flatnonzero(~is_exact):
        sums[column] = math.fsum(terms[:, column].tolist())
    return sums


def _sum_and_error(a: ndarray, b: ndarray) -> tuple[ndarray, ndarray]:
    """Returns the rounded sums and what their rounding left out, exactly (Knuth's TwoSum)."""
    sums = a + b
    part_of_b = sums - a
    part_of_a = sums - part_of_b
    return sums, (a - part_of_a) + (b - part_of_b)
