"""The processes of one launch (`python -m paddle.distributed.launch`): who they are, and how they
share one job.

Each process has one device. One process without a launcher is a launch of one: nothing is
initialised, and nothing is communicated.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import paddle.distributed as dist
from paddle import nn
from paddle.distributed import fleet
from paddle.distributed.fleet.utils.log_util import set_log_level

from rocketqa.distributed.heartbeats import is_of_the_dead
from rocketqa.distributed.launch_variables import (
    PROCESSES,
    SUSPENDED,
    number_in,
    refuse_unless_launched,
)
from rocketqa.distributed.paddle_import import without_noise
from rocketqa.distributed.watchdog import Watchdog, Workspace
from rocketqa.files.errors import DataError
from rocketqa.jobs.job import FinishedMeanwhile, Job
from rocketqa.jobs.stopping import signals_kill

HEARTBEATS = ".alive-"  # ending of the folder of the heartbeats, before the name of the launch
OF_GLOO = "gloo/"  # in the errors of gloo: a path of its source
ATTEMPTS = 10  # at removing a folder that other devices still write to


def launched() -> int:
    """Returns how many processes the launcher has started, before any of them has joined."""
    return number_in(PROCESSES)


def join() -> None:
    """Joins the launch that this process belongs to, if there is one; all processes have joined
    when it returns. Raises DataError where the environment tells of processes that no launch has.

    `heter_ccl_mode` keeps fleet from making groups for kinds of parallelism that nothing here uses.
    On a busy machine their connections failed in five of eight launches of four processes, without
    them in none of fourteen.
    """
    refuse_unless_launched()
    if dist.is_initialized():  # a second training in one program
        dist.barrier()
    elif launched() > 1:
        set_log_level("WARNING")
        strategy = fleet.DistributedStrategy()
        strategy.heter_ccl_mode = True
        with without_noise(), signals_kill():
            fleet.init(is_collective=True, strategy=strategy, log_level="WARNING")


def count() -> int:
    """Returns A, the number of devices."""
    return dist.get_world_size()


def rank() -> int:
    """Returns the number of this device, 0 to A - 1."""
    return dist.get_rank()


def is_main() -> bool:
    """Returns whether this is device 0, which writes what is written once."""
    return rank() == 0


def average_gradients(model: nn.Layer) -> None:
    """Averages the gradients of the model over the devices, once a step.

    It calls the fused reduction of fleet after the backward passes, not during them as
    `DataParallel` would. So several backward passes in a step, recomputation, and the pass that
    finds the adversarial perturbation need no exceptions.
    """
    if count() > 1:
        from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

        fused_allreduce_gradients(list(model.parameters()), None)


@contextmanager
def working_on(job: Job) -> Iterator[Workspace]:
    """Joins the launch and opens the job for every process of it (`Job.run_in`).

    Device 0 opens the job, and finishes it when all devices are done. A watchdog ends the launch
    where a process has died or is stuck. Raises FinishedMeanwhile, on all devices, where another
    launch has finished the job before device 0 could open it.
    """
    join()
    folder = _folder_of_the_launch(job.output)
    watchdog = Watchdog(folder, str(job.output), rank(), count())
    opened: AbstractContextManager[Path] = job.opened() if is_main() else nullcontext(job.part)
    try:
        watchdog.start()
        with opened as part:
            _remove_heartbeats_of_the_dead(job.output)
            watchdog.barrier()
            if not is_main() and job.is_finished():
                raise FinishedMeanwhile
            yield Workspace(part, watchdog)
            watchdog.no_more_steps()
            watchdog.barrier()
            watchdog.stop()
    except FinishedMeanwhile:
        if is_main():
            watchdog.barrier()  # where the other devices wait
        watchdog.leave()
        raise
    except BaseException as error:
        watchdog.leave()
        if isinstance(error, Exception) and OF_GLOO in str(error):
            raise _lost_connection(job.output, watchdog) from error
        raise
    if is_main():
        _remove_heartbeats(folder)


def _lost_connection(output: Path, watchdog: Watchdog) -> DataError:
    """Returns the error of a collective operation that another device has not come to."""
    got = f"one {SUSPENDED}" if watchdog.was_suspended() else "one lost"
    return DataError(
        f"{output}: expected the connections of all devices to last, got {got}: call again to go on"
    )


def _remove_heartbeats(folder: Path) -> None:
    """Removes the heartbeats of this launch. Another device may still write its last one."""
    for _ in range(ATTEMPTS):
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def _remove_heartbeats_of_the_dead(output: Path) -> None:
    """Removes what earlier launches that were killed have left beside the output."""
    for folder in output.parent.glob(f"{output.name}{HEARTBEATS}*"):
        if is_main() and is_of_the_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _folder_of_the_launch(output: Path) -> Path:
    """Returns the folder of the heartbeats: beside the output, another one for each launch."""
    endpoints = os.environ.get("PADDLE_TRAINER_ENDPOINTS", "")
    endpoints += os.environ.get("PADDLE_MASTER", "")
    launch = hashlib.sha256(endpoints.encode()).hexdigest()[:12]
    return output.with_name(f"{output.name}{HEARTBEATS}{launch}")
