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
    batches = []
    for begin, end in zip(bounds, bounds[1:]):
        batches.append(order[begin:end])
    return batches


def plan_batches(lengths: np.ndarray, max_tokens: int) -> tuple[np.ndarray, list[int]]:
    """Returns the rows in the order of their lengths, and the bounds of the batches in that order.

    Batch i consists of the rows `order[bounds[i]:bounds[i + 1]]`. Rows of equal length keep their
    order.
    """
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order].tolist()
    bounds = []
    begin = 0  # of the batch that is being filled
    for place, length in enumerate(sorted_lengths):
        rows = place - begin + 1
        is_too_large = rows * length > max_tokens
        if is_too_large and rows > 1:
            bounds.append(begin)
            begin = place
    if sorted_lengths:
        bounds.append(begin)
    bounds.append(len(sorted_lengths))
    return order, bounds
