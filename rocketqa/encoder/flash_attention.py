"""Attention by one operator for all rows of a batch: FlashAttention 2 (Dao, 2023), on GPUs.

Paddle's `flash_attn_unpadded` takes packed rows as they are, whatever their lengths. What it needs
is read from the headers of Paddle 3.3.1 and from the sources of its library: a GPU of compute
capability 8.0 (Ampere) or later; float16 or bfloat16; heads whose size is a multiple of 8. Heads of
more than 192 have no gradient on some of these GPUs. The bounds of rows are int32.

Dropout is drawn inside the operator, from a seed and an offset. They are given explicitly, in the
memory of the host, where the operator reads them. `with_new_dropout` draws them from Paddle's
generator of the CPU when a layer is called, outside of what recomputation repeats: a layer that is
recomputed has the same dropout. `paddle.seed` seeds that generator too, so a chunk that is encoded
twice (gradient accumulation) has the same dropout both times.

Letters: N rows, T tokens of all rows; H, h, d and A as in `ernie.py`.
"""

from typing import NamedTuple

import paddle
from paddle import Tensor
from paddle.nn.functional import flash_attention as library

from rocketqa.encoder.grouped_attention import PaddedGroups
from rocketqa.encoder.packing import PackedRows, RowGroup

LEAST_CAPABILITY = (8, 0)
HALF_PRECISIONS = ("float16", "bfloat16")
HEAD_SIZE_STEP = 8
LARGEST_HEAD_SIZE = 192
SEED_LIMIT = 2**31 - 1


class FlashRows(NamedTuple):
    """Rows as `flash_attn_unpadded` takes them.

    bounds: int32 [N + 1], where each row begins, and T. first_bounds: the same of rows of one token
    each. seed_offset: int64 [2] on the CPU, for the dropout of one layer.
    """

    groups: list[RowGroup]
    bounds: Tensor
    first_bounds: Tensor
    seed_offset: Tensor | None = None

    @staticmethod
    def of(rows: PackedRows) -> "FlashRows":
        """Returns the packed rows, made on the GPU from what is there: no copy, no waiting."""
        count = rows.first.shape[0]
        end = paddle.full([1], rows.token_ids.shape[0], "int64")
        bounds = paddle.concat([rows.first, end])  # [N + 1]
        first_bounds = paddle.arange(count + 1, dtype="int32")  # [N + 1]
        return FlashRows(rows.groups, bounds.astype("int32"), first_bounds)

    def with_new_dropout(self) -> "FlashRows":
        """Returns the rows with a seed and an offset, drawn for the dropout of one layer."""
        with paddle.device.device_guard("cpu"):
            seed_offset = paddle.randint(0, SEED_LIMIT, [2], dtype="int64")
        return self._replace(seed_offset=seed_offset)

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        first_only: bool,
        p: float,
    ) -> Tensor:
        """Returns the contexts, [A, H], in the precision of q; q: [A, H], k and v: [T, H]."""
        hidden_size = q.shape[1]
        head_size = hidden_size // heads
        precision = getattr(paddle, precision_of_products(q))
        by_head = [-1, heads, head_size]
        longest = self.groups[-1].length
        context, _ = library.flash_attn_unpadded(
            query=q.astype(precision).reshape(by_head),  # [A, h, d]
            key=k.astype(precision).reshape(by_head),  # [T, h, d]
            value=v.astype(precision).reshape(by_head),  # [T, h, d]
            cu_seqlens_q=self.first_bounds if first_only else self.bounds,
            cu_seqlens_k=self.bounds,
            max_seqlen_q=1 if first_only else longest,
            max_seqlen_k=longest,
            scale=head_size**-0.5,
            dropout=p,
            fixed_seed_offset=self.seed_offset,
            training=p > 0,
        )  # [A, h, d]
        return context.reshape([-1, hidden_size]).astype(q.dtype)  # [A, H]

    def means(self, hidden: Tensor) -> Tensor:
        """Returns the mean over each row's tokens, [N, H]; hidden: [T, H]."""
        return PaddedGroups(self.groups).means(hidden)


def is_supported(hidden: Tensor, head_size: int) -> bool:
    """Returns whether this device has the operator for tokens like `hidden`, [T, H]."""
    if not paddle.device.get_device().startswith("gpu"):
        return False
    if not hasattr(paddle, "is_autocast_enabled"):  # Paddle 2 does not tell its precision
        return False
    if paddle.device.cuda.get_device_capability() < LEAST_CAPABILITY:
        return False
    fits = head_size % HEAD_SIZE_STEP == 0 and head_size <= LARGEST_HEAD_SIZE
    return fits and precision_of_products(hidden) in HALF_PRECISIONS


def precision_of_products(tensor: Tensor) -> str:
    """Returns the name of the type in which a product of the tensor would be computed."""
    if paddle.is_autocast_enabled():
        return paddle.get_autocast_dtype()
    return str(tensor.dtype).removeprefix("paddle.")
