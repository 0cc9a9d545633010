"""The dropout of the CPU kernels, in numpy: which elements they drop for a seed."""

import numpy as np


def dropout_factors(seed: int, places: np.ndarray, p: float) -> np.ndarray:
    """Returns what the element at each place is multiplied by: 0, or 1 / (1 - p); float32."""
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EB % 2**64
    seed ^= seed >> 31
    low = np.uint32(seed & 0xFFFFFFFF)
    high = np.uint32(seed >> 32)
    with np.errstate(over="ignore"):
        bits = places.astype(np.uint32) * np.uint32(0x9E3779B1) + low
        bits = (bits ^ bits >> np.uint32(16)) * np.uint32(0x85EBCA6B) + high
        bits = (bits ^ bits >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    is_dropped = bits < np.uint32(p * 2**32)
    return np.where(is_dropped, 0, 1 / (1 - p)).astype(np.float32)


def attention_factors(
    seed: int, row: int, heads: int, attending: int, length: int, p: float
) -> np.ndarray:
    """Returns the factors of a row's attention weights: [heads, attending, length]."""
    places = np.arange(attending * length)
    by_head = []
    for head in range(heads):
        task = row * heads + head
        task_seed = (seed + 0x9E3779B97F4A7C15 * (task + 1)) % 2**64
        by_head.append(dropout_factors(task_seed, places, p))
    return np.stack(by_head).reshape(heads, attending, length)
