"""Packs the rows of a batch without padding: sorted by length, laid end to end as one sequence.

Every dense product, norm and dropout of the encoder works on this sequence, [T, H]. Only attention
has to know where a row begins and ends (`attention.py`). Neighbouring rows of equal length are a
group, which needs no mask.

Letters: N rows, T tokens of all rows together, H hidden size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor

from rocketqa.distributed.device_copies import to_device
from rocketqa.text.tokenizer import Encoding


class RowGroup(NamedTuple):
    """Neighbouring packed rows of equal length: how many rows, and how many tokens in each."""

    rows: int
    length: int

    @property
    def tokens(self) -> int:
        """The number of tokens of all rows of the group."""
        return self.rows * self.length


class PackedRows(NamedTuple):
    """N rows of tokens, sorted by length and laid end to end.

    token_ids, type_ids, positions: int64 [T]. first: int64 [N], the place of each packed row's
    first token. restore: int64 [N], the packed place of each of the caller's rows. groups: in
    packed order, shortest rows first.
    """

    token_ids: Tensor
    type_ids: Tensor
    positions: Tensor
    first: Tensor
    restore: Tensor
    groups: list[RowGroup]


class HostRows(NamedTuple):
    """What a PackedRows holds, as arrays: a thread that prepares them needs no Paddle."""

    token_ids: np.ndarray
    type_ids: np.ndarray
    positions: np.ndarray
    first: np.ndarray
    restore: np.ndarray
    groups: list[RowGroup]

    def on_device(self) -> PackedRows:
        """Returns the rows on the device that computes."""
        return PackedRows(
            token_ids=to_device(self.token_ids),
            type_ids=to_device(self.type_ids),
            positions=to_device(self.positions),
            first=to_device(self.first),
            restore=to_device(self.restore),
            groups=self.groups,
        )


def pack(rows: Sequence[Encoding]) -> PackedRows:
    """Returns the rows packed by length; rows of equal length keep their order."""
    return pack_on_host(rows).on_device()


def pack_on_host(rows: Sequence[Encoding]) -> HostRows:
    """Returns what `pack` returns, before it is copied to the device."""
    lengths = np.array([len(row.token_ids) for row in rows])
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order]
    begins = np.cumsum(sorted_lengths) - sorted_lengths
    restore = np.argsort(order)
    sorted_rows = [rows[place] for place in order]
    token_ids = np.concatenate([row.token_ids for row in sorted_rows])
    type_ids = np.concatenate([row.type_ids for row in sorted_rows])
    positions = [np.arange(length, dtype=np.int64) for length in sorted_lengths]
    return HostRows(
        token_ids=token_ids,
        type_ids=type_ids,
        positions=np.concatenate(positions),
        first=begins,
        restore=restore,
        groups=_groups_of(sorted_lengths),
    )


def _groups_of(sorted_lengths: np.ndarray) -> list[RowGroup]:
    lengths, counts = np.unique(sorted_lengths, return_counts=True)
    groups = []
    for rows, length in zip(counts.tolist(), lengths.tolist()):
        groups.append(RowGroup(rows, length))
    return groups


def row_means(hidden: Tensor, groups: Sequence[RowGroup]) -> Tensor:
    """Returns the mean over each packed row's tokens, [N, H]; hidden: [T, H]."""
    group_parts = split_by_group(hidden, groups)  # [rows * length, H] each
    means = []
    for (rows, length), part in zip(groups, group_parts):
        by_row = part.reshape([rows, length, -1])  # [rows, length, H]
        means.append(by_row.mean(axis=1))  # [rows, H]
    return paddle.concat(means)  # [N, H]


def row_lengths(groups: Sequence[RowGroup]) -> np.ndarray:
    """Returns the length of each packed row, int64 [N]."""
    rows, lengths = np.array(groups, np.int64).T
    return np.repeat(lengths, rows)


def split_by_group(hidden: Tensor, groups: Sequence[RowGroup]) -> list[Tensor]:
    """Returns the tokens of each group, [rows * length, H] each; hidden: [T, H]."""
    counts = [group.tokens for group in groups]
    return paddle.split(hidden, counts)
