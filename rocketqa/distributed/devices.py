"""The processes of one launch (`python -m paddle.distributed.launch`): who they are, and how they
share one job.

Each process has one device. One process without a launcher is a launch of one: nothing is
initialised, and nothing is communicated.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count as numbers_from
from pathlib import Path

import paddle.distributed as dist
from paddle import nn
from paddle.distributed import fleet
from paddle.distributed.fleet.utils.log_util import set_log_level

from rocketqa.distributed import store
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

OF_GLOO = "gloo/"  # in the errors of gloo: a path of its source
JOBS = numbers_from(1)  # one for each job of this program, equal on all devices


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
        host, port = store.address_of_launch()
        if is_main():
            store.refuse_taken_port(port, f"{store.MASTER}={host}:{port}")
        with without_noise(), signals_kill():
            fleet.init(is_collective=True, strategy=strategy, log_level="WARNING")
        if is_main():
            store.listen_to(host, port)


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
    watchdog = _watchdog_of(job)
    opened: AbstractContextManager[Path] = job.opened() if is_main() else nullcontext(job.part)
    try:
        watchdog.start()
        with opened as part:
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
        watchdog.stop()
        raise
    except BaseException as error:
        watchdog.leave()
        if isinstance(error, Exception) and OF_GLOO in str(error):
            raise _lost_connection(job.output, watchdog) from error
        raise


def _watchdog_of(job: Job) -> Watchdog:
    """Returns a watchdog of the devices that share a job."""

    def connect() -> store.Store:
        return store.connect(*store.address_of_launch())

    return Watchdog(connect, f"job {next(JOBS)}", str(job.output), rank(), count())


def _lost_connection(output: Path, watchdog: Watchdog) -> DataError:
    """Returns the error of a collective operation that another device has not come to."""
    got = f"one {SUSPENDED}" if watchdog.was_suspended() else "one lost"
    return DataError(
        f"{output}: expected the connections of all devices to last, got {got}: call again to go on"
    )
