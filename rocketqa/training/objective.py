"""What the training loop asks of an objective: to leave the gradients of one step.

A step consists of one or more chunks on each device. The objective runs the model forward and
backward over them and leaves the sum of the gradients; averaging over devices, clipping and the
update are the loop's.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import paddle


class Step(NamedTuple):
    """What an objective needs to know of a step.

    chunk_context(n): gives chunk n its dropout and its precision, the same each time that it is
    entered.
    loss_scale: a factor of the loss, and so of all gradients (needed for float16).
    barrier(): waits for the other devices; to be called before each collective operation.
    """

    chunk_context: Callable[[int], AbstractContextManager[None]]
    loss_scale: float
    barrier: Callable[[], None]


class Objective(Protocol):
    """The loss that a model is trained with."""

    def forward_backward(
        self, model: Any, chunks: Sequence[Any], step: Step
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Leaves the gradients of the mean loss; returns the loss of each query or pair, and
        whether it was a hit.

        model: an encoder in training mode. chunks: the rows of this device, N chunks of B. Returns
        two float32 tensors [N*B]; a hit is 1 where the model's first choice is the right one, else
        0.
        """
        ...
