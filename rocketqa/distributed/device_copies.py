"""Copies of arrays to the device that computes.

`paddle.to_tensor(array)` on a GPU copies by the default stream: it returns when the GPU has done
all that it was told before. Here the array goes into pinned memory, from which the GPU fetches it
in its turn. Paddle keeps that memory until then. On a CPU it is a plain copy.
"""

import numpy as np
import paddle
from paddle import Tensor


def to_device(array: np.ndarray) -> Tensor:
    """Returns an array as a tensor on the device; nothing waits for a GPU."""
    if not paddle.device.get_device().startswith("gpu"):
        return paddle.to_tensor(array)
    pinned = paddle.to_tensor(array, place=paddle.CUDAPinnedPlace())
    return pinned.cuda(blocking=False)
