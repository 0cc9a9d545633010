"""Which way attention is computed: the choice between devices and precisions.

Attention is the only part of the encoder that has to know where a packed row begins and ends. All
ways give the same vectors and gradients, up to rounding. With dropout, each drops other elements.

    path            used for                                  operator calls of a layer
    CPU kernels     float32 on a CPU with a C compiler        one (`cpu_kernels.py`)
    equal groups    other work on a CPU                       some 14 for each distinct length
    flash           half precision on GPUs since Ampere       some 10 (`flash_attention.py`)
    padded groups   other work on a GPU                       some 14 for each of at most 8 groups

On a GPU the host starts every operator, which takes it some 10 microseconds. A batch of MS MARCO
has more than 100 distinct lengths: by equal groups, the host would take longer than the GPU.
"""

from typing import Protocol

import paddle
from paddle import Tensor

from rocketqa.encoder import cpu_kernels, flash_attention
from rocketqa.encoder.flash_attention import FlashRows
from rocketqa.encoder.grouped_attention import EqualGroups, PaddedGroups
from rocketqa.encoder.packing import PackedRows, RowGroup

CPU_KERNELS = "CPU kernels"
EQUAL_GROUPS = "equal groups"
FLASH = "flash"
PADDED_GROUPS = "padded groups"


class AttentionRows(Protocol):
    """The rows of a batch, as attention needs them. Letters as in `ernie.py`."""

    @property
    def groups(self) -> list[RowGroup]:
        """The groups of neighbouring rows that are attended together."""
        ...

    def with_new_dropout(self) -> "AttentionRows":
        """Returns the rows for one more layer in training: recomputation repeats its dropout."""
        ...

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        first_only: bool,
        p: float,
    ) -> Tensor:
        """Returns the context of each attending token over the tokens of its row, [A, H].

        q: [A, H]. k and v: [T, H]. p: the probability with which an attention weight is dropped.
        """
        ...

    def means(self, hidden: Tensor) -> Tensor:
        """Returns the mean over each packed row's tokens, [N, H]; hidden: [T, H]."""
        ...


class KernelRows(EqualGroups):
    """Rows whose attention the CPU kernels compute, from weights instead of q, k and v."""


def attention_path(hidden: Tensor, head_size: int) -> str:
    """Returns the path that attention takes for tokens like `hidden`, [T, H], on this device.

    The precision is that of `paddle.amp.auto_cast` where it is active, else that of `hidden`.
    """
    if paddle.device.get_device() == "cpu":
        return CPU_KERNELS if cpu_kernels.usable(hidden) else EQUAL_GROUPS
    if flash_attention.is_supported(hidden, head_size):
        return FLASH
    return PADDED_GROUPS


def rows_for_attention(rows: PackedRows, hidden: Tensor, head_size: int) -> AttentionRows:
    """Returns the rows as the path of this device needs them; once for all layers of a batch."""
    path = attention_path(hidden, head_size)
    if path == FLASH:
        return FlashRows.of(rows)
    if path == PADDED_GROUPS:
        return PaddedGroups(rows.groups)
    if path == CPU_KERNELS:
        return KernelRows(rows.groups)
    return EqualGroups(rows.groups)
