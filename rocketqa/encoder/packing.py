"""Rows of tokens packed by length, without padding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import paddle

from rocketqa.text.tokenizer import Encoding


class PackedRows(NamedTuple):
    """N rows of tokens, sorted by length and laid end to end.

    token_ids, type_ids, positions: int64 [T]; first: int64 [N], where each packed row begins; restore: int64 [N], the
    packed place of the caller's rows; groups: (rows, length) in packed order.
    """

    token_ids: paddle.Tensor
    type_ids: paddle.Tensor
    positions: paddle.Tensor
    first: paddle.Tensor
    restore: paddle.Tensor
    groups: list[tuple[int, int]]


def pack(rows: Sequence[Encoding]) -> PackedRows:
    """Returns the rows packed by length."""
    lengths = np.array([len(row.token_ids) for row in rows])
    order = np.argsort(lengths, kind="stable")
    lengths = lengths[order]
    ends = np.cumsum(lengths)
    group_lengths, group_rows = np.unique(lengths, return_counts=True)
    return PackedRows(
        token_ids=paddle.to_tensor(np.concatenate([rows[i].token_ids for i in order])),
        type_ids=paddle.to_tensor(np.concatenate([rows[i].type_ids for i in order])),
        positions=paddle.to_tensor(
            np.concatenate([np.arange(length, dtype=np.int64) for length in lengths])
        ),
        first=paddle.to_tensor(ends - lengths),
        restore=paddle.to_tensor(np.argsort(order)),
        groups=[(int(count), int(length)) for count, length in zip(group_rows, group_lengths)],
    )


def row_means(hidden: paddle.Tensor, groups: list[tuple[int, int]]) -> paddle.Tensor:
    """Returns the mean of each packed row's tokens, [N, H], of hidden [T, H]."""
    parts = paddle.split(hidden, [rows * length for rows, length in groups])
    return paddle.concat(
        [
            part.reshape([rows, length, -1]).mean(axis=1)
            for part, (rows, length) in zip(parts, groups)
        ]
    )


def by_token_budget(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Returns the places of rows in batches of similar length, each of at most `budget` tokens (or one row)."""
    order, begins = plan_batches(np.asarray(lengths), budget)
    return [order[begin:end] for begin, end in zip(begins, begins[1:])]


def plan_batches(lengths: np.ndarray, budget: int) -> tuple[np.ndarray, list[int]]:
    """Returns the places of rows by length, and where in that order each batch begins; the last number is the end."""
    order = np.argsort(lengths, kind="stable")
    begins = [0] if len(order) else []
    for row, length in enumerate(lengths[order].tolist()):
        if (row - begins[-1] + 1) * length > budget and row > begins[-1]:
            begins.append(row)
    return order, [*begins, len(order)]
