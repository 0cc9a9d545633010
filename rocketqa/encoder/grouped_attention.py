"""Attention by Paddle's operators, one group of neighbouring rows at a time.

The rows of a group of `EqualGroups` have equal lengths, so nothing is padded and nothing is masked.
`PaddedGroups` has at most MOST_GROUPS groups, however many lengths a batch has: the rows of a group
have similar lengths, and are padded to the longest of them for the attention alone. Padding gets
the weight 0, so vectors and gradients are those of equal groups, up to rounding.

Dropout draws a number for each attention weight from Paddle's generator, group after group. Padded
groups draw for the weights of padding too, so they drop other elements than equal groups.

Letters: N rows, T tokens of all rows, P places of all rows with their padding; R rows of a group, L
tokens of its longest row; H, h, d, A and a as in `ernie.py`.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor

from rocketqa.encoder.packing import RowGroup, row_lengths, row_means, split_by_group

MOST_GROUPS = 8


class EqualGroups:
    """Rows in groups of equal length."""

    def __init__(self, groups: list[RowGroup]):
        self.groups = groups
        # What is added to the scores of each group, [R, 1, 1, L]. None: nothing is padded.
        self.penalties: Sequence[Tensor | None] = [None] * len(groups)

    def with_new_dropout(self) -> "EqualGroups":
        """Returns these rows: each layer draws its dropout from Paddle's generator."""
        return self

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        first_only: bool,
        p: float,
    ) -> Tensor:
        """Returns the contexts, [A, H]; q: [A, H], k and v: [T, H]."""
        hidden_size = q.shape[1]
        q = q * (hidden_size // heads) ** -0.5  # [A, H]
        attending_counts = [group.rows if first_only else group.tokens for group in self.groups]
        group_qs = paddle.split(q, attending_counts)  # [R * a, H] each
        group_ks = split_by_group(k, self.groups)  # [R * L, H] each
        group_vs = split_by_group(v, self.groups)  # [R * L, H] each
        contexts = []
        by_group = zip(self.groups, self.penalties, group_qs, group_ks, group_vs)
        for group, penalty, group_q, group_k, group_v in by_group:
            group_q = _by_head(group_q, group.rows, heads)  # [R, h, a, d]
            group_k = _by_head(group_k, group.rows, heads)  # [R, h, L, d]
            group_v = _by_head(group_v, group.rows, heads)  # [R, h, L, d]
            context = weighted_values(group_q, group_k, group_v, penalty, p)  # [R, h, a, d]
            context = context.transpose([0, 2, 1, 3])  # [R, a, h, d]
            contexts.append(context.reshape([-1, hidden_size]))  # [R * a, H]
        return paddle.concat(contexts)  # [A, H]

    def means(self, hidden: Tensor) -> Tensor:
        """Returns the mean over each row's tokens, [N, H]; hidden: [T, H]."""
        return row_means(hidden, self.groups)


class PaddedGroups(EqualGroups):
    """Rows in at most MOST_GROUPS groups, each padded to its longest row.

    token_places: int64 [P], the token at each place; at padding, the last token of the row.
    places_of_tokens: int64 [T].
    """

    def __init__(self, groups: list[RowGroup]):
        super().__init__(join_similar(groups))
        token_places, is_token = _padded_places(row_lengths(groups), self.groups)
        self.token_places = paddle.to_tensor(token_places)
        self.places_of_tokens = paddle.to_tensor(np.flatnonzero(is_token))
        kept = paddle.to_tensor(is_token.astype(np.float32))  # [P]
        self.is_token = []  # [R, L] of each group: 1 at tokens, 0 at padding
        for group, part in zip(self.groups, split_by_group(kept, self.groups)):
            self.is_token.append(part.reshape([group.rows, group.length]))
        self.penalties = [paddle.log(mask).unsqueeze([1, 2]) for mask in self.is_token]

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        first_only: bool,
        p: float,
    ) -> Tensor:
        """Returns the contexts, [A, H]; q: [A, H], k and v: [T, H]."""
        k = paddle.gather(k, self.token_places)  # [P, H]
        v = paddle.gather(v, self.token_places)  # [P, H]
        if first_only:
            return super().attend(q, k, v, heads, first_only, p)  # [N, H]
        q = paddle.gather(q, self.token_places)  # [P, H]
        contexts = super().attend(q, k, v, heads, first_only, p)  # [P, H]
        return paddle.gather(contexts, self.places_of_tokens)  # [T, H]

    def means(self, hidden: Tensor) -> Tensor:
        """Returns the mean over each row's tokens, [N, H]; hidden: [T, H]."""
        padded = paddle.gather(hidden, self.token_places)  # [P, H]
        parts = split_by_group(padded, self.groups)  # [R * L, H] each
        means = []
        for (rows, longest), is_token, part in zip(self.groups, self.is_token, parts):
            by_row = part.reshape([rows, longest, -1])  # [R, L, H]
            kept = is_token.astype(part.dtype).unsqueeze(2)  # [R, L, 1]
            sums = (by_row * kept).sum(axis=1)  # [R, H]
            means.append(sums / kept.sum(axis=1))  # [R, H]
        return paddle.concat(means)  # [N, H]


def join_similar(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """Returns at most MOST_GROUPS groups, each with the length of its longest row.

    Groups are joined whose lengths, rounded up to a multiple of a step, are equal. The step is an
    eighth of the longest length. groups: shortest rows first.
    """
    longest = groups[-1].length
    step = -(-longest // MOST_GROUPS)
    joined = []
    for _, neighbours in groupby(groups, key=lambda group: -(-group.length // step)):
        together = list(neighbours)
        rows = sum(group.rows for group in together)
        joined.append(RowGroup(rows, together[-1].length))
    return joined


def _padded_places(
    lengths: np.ndarray,
    groups: Sequence[RowGroup],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the token at each place, int64 [P], and whether it is not padding, bool [P].

    lengths: of the packed rows, [N]. groups: padded ones.
    """
    begins = np.cumsum(lengths) - lengths  # [N]
    all_places = []
    all_kept = []
    first_row = 0
    for rows, longest in groups:
        end_row = first_row + rows
        last = lengths[first_row:end_row, None] - 1  # [R, 1]
        columns = np.arange(longest)  # [L]
        nearest = np.minimum(columns, last)  # [R, L]
        places = begins[first_row:end_row, None] + nearest  # [R, L]
        kept = columns <= last  # [R, L]
        all_places.append(places.reshape(-1))
        all_kept.append(kept.reshape(-1))
        first_row = end_row
    return np.concatenate(all_places), np.concatenate(all_kept)


def weighted_values(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    penalty: Tensor | None,
    p: float,
) -> Tensor:
    """Returns dropout(softmax(q k^T + penalty)) v, [R, h, a, d]: the attention of one group.

    q: [R, h, a, d], divided by the root of d. k and v: [R, h, L, d]. penalty: [R, 1, 1, L].
    """
    scores = paddle.matmul(q, k, transpose_y=True)  # [R, h, a, L]
    if penalty is not None:
        scores = scores + penalty.astype(scores.dtype)  # [R, h, a, L]
    weights = F.dropout(F.softmax(scores), p)  # [R, h, a, L]
    return paddle.matmul(weights, v)  # [R, h, a, d]


def _by_head(hidden: Tensor, rows: int, heads: int) -> Tensor:
    """Returns [R, h, a or L, d] of [R * a, H] or [R * L, H]."""
    head_size = hidden.shape[1] // heads
    by_row = hidden.reshape([rows, -1, heads, head_size])  # [R, a or L, h, d]
    return by_row.transpose([0, 2, 1, 3])
