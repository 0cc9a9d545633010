"""The figures of a training step, which leave the device once a step, together.

Whoever reads a value of a tensor waits until the device has computed it. So a step reads once:
after the gradients are there, and before the weights move.
"""

from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist

from rocketqa.distributed import devices
from rocketqa.distributed.device_copies import to_device


class StepFigures(NamedTuple):
    """Figures of a step, equal on all devices.

    loss, accuracy, tokens, tokens_with_padding: means over the devices. stop_requests: above 0
    where a signal has asked any device to stop. square_sum: that of the averaged gradients.
    """

    loss: float
    accuracy: float
    tokens: float
    tokens_with_padding: float
    stop_requests: float
    square_sum: float


def sums_over_devices(losses: paddle.Tensor, hits: paddle.Tensor, *of_host: float) -> paddle.Tensor:
    """Returns the sums over all devices of the mean loss, the mean hit and figures of the host,
    float32, without waiting for them.
    """
    means = [values.mean().astype("float32").reshape([1]) for values in (losses, hits)]
    sums = paddle.concat([*means, to_device(np.array(of_host, np.float32))]).detach()
    if devices.count() > 1:
        dist.all_reduce(sums)
    return sums


def fetch(sums: paddle.Tensor, square_sum: paddle.Tensor) -> StepFigures:
    """Returns the figures of a step: the only place where it waits for the device."""
    figures = paddle.concat([sums, square_sum.reshape([1])])
    *totals, squares = figures.numpy().tolist()
    loss, accuracy, tokens, with_padding, requests = (total / devices.count() for total in totals)
    return StepFigures(loss, accuracy, tokens, with_padding, requests, squares)
