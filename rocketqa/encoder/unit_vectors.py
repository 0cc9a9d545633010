"""Vectors of length 1, whose dot product is the cosine.

Letters: N rows, H hidden size.
"""

import numpy as np
import paddle
from paddle import Tensor

SMALLEST = 1e-12  # a row whose elements are all smaller counts as zeros


def unit_vectors(vectors: Tensor) -> Tensor:
    """Returns each row divided by its length, [N, H], in float32 at least; a row of zeros stays.

    A row is first divided by its largest element, so that no square overflows or vanishes. That
    factor cancels out, and so does its gradient. Zeros have a finite gradient, too.
    """
    if vectors.dtype != paddle.float64:
        vectors = vectors.astype("float32")
    largest = vectors.detach().abs().max(axis=1, keepdim=True)  # [N, 1]
    is_zero = (largest < SMALLEST).astype(vectors.dtype)  # [N, 1]
    scaled = vectors / (largest + is_zero)  # [N, H]
    squares = (scaled * scaled).sum(axis=1, keepdim=True)  # [N, 1], from 1; of zeros 0
    return scaled / squares.clip(min=0.5).sqrt()  # [N, H]


def unit_arrays(vectors: np.ndarray) -> np.ndarray:
    """Returns what `unit_vectors` returns, for arrays, [N, H], in their own precision."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)  # [N, 1]
    scaled = vectors / np.where(largest < SMALLEST, vectors.dtype.type(1), largest)  # [N, H]
    squares = (scaled * scaled).sum(axis=1, keepdims=True)  # [N, 1], from 1; of zeros 0
    return scaled / np.sqrt(np.maximum(squares, 0.5))  # [N, H]
