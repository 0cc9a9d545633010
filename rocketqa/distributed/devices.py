"""The processes of one launch (`python -m paddle.distributed.launch`): who they are, and how they work on one artefact.

One process without a launcher is a launch of one: nothing is initialised, nothing is communicated.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import paddle.distributed as dist
from paddle import nn
from paddle.distributed import fleet
from paddle.distributed.fleet.utils.log_util import set_log_level

from rocketqa.distributed.watchdog import Watchdog

ALIVE = ".alive-"


def join() -> None:
    """Joins the launch that this process belongs to, if there is one; all of it has come here when it returns.

    `heter_ccl_mode` keeps fleet from making groups for kinds of parallelism that nothing here uses: on a busy machine
    their connections failed in five of eight launches of four processes, without them in none of fourteen.
    """
    if dist.is_initialized():  # a second training in one program
        dist.barrier()
    elif int(os.environ.get("PADDLE_TRAINERS_NUM", "1")) > 1:
        set_log_level("WARNING")
        strategy = fleet.DistributedStrategy()
        strategy.heter_ccl_mode = True
        fleet.init(is_collective=True, strategy=strategy, log_level="WARNING")


def count() -> int:
    """Returns A, the number of devices."""
    return dist.get_world_size()


def rank() -> int:
    """Returns this device's number, 0 to A - 1."""
    return dist.get_rank()


def average_gradients(model: nn.Layer) -> None:
    """Averages the model's gradients over the devices: one reduction a step, whatever a step was made of.

    fleet's own fused reduction, after the backward passes and not during them (as `DataParallel` would): several
    backward passes a step, recomputation and the clean pass of FGM need no exceptions.
    """
    if count() > 1:
        from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

        fused_allreduce_gradients(list(model.parameters()), None)


@contextmanager
def working_on(job) -> Iterator[tuple[Path, Watchdog]]:
    """Gives every device the job's part directory; the first one opens the job, and finishes it when all are done."""
    folder = _folder_of_the_launch(job.output)
    watchdog = Watchdog(folder, str(job.output), rank(), count())
    watchdog.start()
    with job if rank() == 0 else nullcontext(job.part) as part:
        watchdog.barrier()
        yield part, watchdog
        watchdog.no_more_steps()
        watchdog.barrier()
        watchdog.stop()
    if rank() == 0:
        for left in job.output.parent.glob(f"{job.output.name}{ALIVE}*"):
            shutil.rmtree(left)


def _folder_of_the_launch(output: Path) -> Path:
    """Returns where the processes of this launch leave their heartbeats: beside the output, another for each launch."""
    endpoints = os.environ.get("PADDLE_TRAINER_ENDPOINTS", "") + os.environ.get("PADDLE_MASTER", "")
    return output.with_name(
        f"{output.name}{ALIVE}{hashlib.sha256(endpoints.encode()).hexdigest()[:12]}"
    )
