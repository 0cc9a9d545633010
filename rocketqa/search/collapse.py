"""Whether an encoder has collapsed: it gives many different texts nearly the same vector.

A search cannot tell such passages apart: their order is that of rounding errors and of ids. A sound
encoder is far from it. The distance of the vectors of two texts, divided by the length of a vector,
is some .5 after a training, and .001 even for small towers of random weights. Rounding makes 1e-6
of it, in float16 2e-5.
"""

import sys

import numpy as np
from numpy import float64, ndarray

from rocketqa.search.vectors import VectorStore

SAMPLE = 256  # vectors that are compared with each other
FEWEST = 100  # vectors; fewer are not judged
ROUNDING = 2.0**-14  # largest distance of nearly equal vectors, in lengths of a vector
LARGEST_SHARE = 0.25  # of near-equal vectors; above it, a line is written


def warn_of_collapse(store: VectorStore, texts: str) -> None:
    """Writes a line to stderr where many vectors of a store are nearly equal.

    texts: what the vectors are of, "passages" or "queries". Fewer than FEWEST are not judged.
    """
    if len(store) < FEWEST:
        return
    share = near_equal_share(store.sample(min(SAMPLE, len(store))))
    if share > LARGEST_SHARE:
        print(
            f"{store.directories[0]}: expected different vectors of different {texts}, got nearly "
            f"the same one for {share:.0%} of a sample: the encoder has collapsed, or these "
            f"{texts} have the same text",
            file=sys.stderr,
        )


def near_equal_share(vectors: ndarray) -> float:
    """Returns the largest share of vectors [n, H] that are within rounding of one of them."""
    vectors = vectors.astype(float64)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    products = vectors @ vectors.T
    squared_distances = squares[:, None] + squares - 2 * products  # [n, n]
    is_near = squared_distances <= ROUNDING**2 * squares[:, None]
    return is_near.mean(axis=1).max()
