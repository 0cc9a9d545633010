"""The processes of one launch (`python -m paddle.distributed.launch`): who they are, and how they work on one artefact.

One process without a launcher is a launch of one: nothing is initialised, nothing is communicated.
"""
import os
from contextlib import contextmanager

import paddle.distributed as dist
from paddle import nn
from paddle.distributed import fleet


def join() -> None:
    """Joins the launch that this process belongs to, if there is one."""
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) > 1:
        fleet.init(is_collective=True, log_level="WARNING")


def count() -> int:
    """Returns A, the number of devices."""
    return dist.get_world_size()


def rank() -> int:
    """Returns this device's number, 0 to A - 1."""
    return dist.get_rank()


def barrier() -> None:
    """Waits until every device is here."""
    if count() > 1:
        dist.barrier()


def parallel(model: nn.Layer) -> nn.Layer:
    """Returns the model with its gradients averaged over the devices."""
    return fleet.distributed_model(model) if count() > 1 else model


@contextmanager
def working_on(job):
    """Gives every device the job's part directory; the first one opens the job, and finishes it when all are done."""
    if rank() > 0:
        barrier()
        yield job.part
        barrier()
        return
    with job as part:
        barrier()
        yield part
        barrier()
