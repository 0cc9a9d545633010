"""Batches of rows of similar length within a budget of tokens. This module does not need Paddle.

A batch is padded to its longest row, so rows of similar length in one batch leave little padding.
"""

from collections.abc import Sequence

import numpy as np


def batches_of_similar_length(lengths: Sequence[int], max_tokens: int) -> list[np.ndarray]:
    """Returns the batches, shortest rows first; each is an array of indices into `lengths`.

    A batch holds at most `max_tokens` tokens, padding included. A row that is longer than that is a
    batch of its own.
    """
    order, bounds = plan_batches(np.asarray(lengths), max_tokens)
    return [order[begin:end] for begin, end in zip(bounds, bounds[1:])]


def plan_batches(lengths: np.ndarray, max_tokens: int) -> tuple[np.ndarray, list[int]]:
    """Returns the rows in the order of their lengths, and the bounds of the batches in that order.

    Batch i consists of the rows `order[bounds[i]:bounds[i + 1]]`. Rows of equal length keep their
    order.
    """
    order = np.argsort(lengths, kind="stable")
    bounds = [0] if len(order) else []
    for place, length in enumerate(lengths[order].tolist()):
        begin = bounds[-1]
        padded_tokens = (place - begin + 1) * length
        if padded_tokens > max_tokens and place > begin:
            bounds.append(place)
    bounds.append(len(order))
    return order, bounds
