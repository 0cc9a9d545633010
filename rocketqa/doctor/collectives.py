"""Cross-batch negatives over all devices, against one process on the joint batch, in float64.

    python rocketqa/doctor/collectives.py FOLDER    what each process of the launch does

On CPUs the launch has two processes, on GPUs as many as there are.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle

from rocketqa.distributed import devices
from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.distributed.paddle_import import expect_import
from rocketqa.doctor.findings import ABSENT, WRONG, Judgement, judged
from rocketqa.doctor.small_model import (
    Arrays,
    chunk_of,
    computing,
    distance,
    forward_backward,
    gradients_of,
    small_model,
)
from rocketqa.jobs.parents import end_with_those_above, environment_of_child
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.training.optimizer import clip

PROCESSES_OF_CPU = 2
TOLERANCE = 1e-9  # of float64
NO_CLIPPING = 1e30
LAUNCHER = "rocketqa.distributed.launch"


def gather() -> Judgement:
    """Returns how far loss and gradients of all devices are from those of one process."""
    count = number_of_gpus() or PROCESSES_OF_CPU
    if count == 1:
        return ABSENT, "one GPU, which has nothing to gather"
    with temporary_folder() as name:
        folder = Path(name)
        command = [sys.executable, "-m", LAUNCHER, str(count), __file__, str(folder)]
        launch = subprocess.Popen(
            command,
            env=environment_of_child(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        exact = joint_step(count)
        _, said = launch.communicate()
        if launch.returncode:
            last_line = said.strip().splitlines()[-1:] or ["no message"]
            return WRONG, f"expected {count} processes to end well, got {last_line[0]}"
        return judge(folder, count, exact)


def joint_step(count: int) -> Arrays:
    """Returns loss and gradients of one process, on the CPU, on the rows of all devices."""
    with computing("cpu", "float64"):
        model = small_model("float64")
        losses = forward_backward(model, chunk_of(range(count)), "float64")
        return {"loss": losses.mean().numpy(), **gradients_of(model)}


def judge(folder: Path, count: int, exact: Arrays) -> Judgement:
    """Compares what each device has written with one process."""
    errors = []
    overflows = []
    losses = []
    for rank in range(count):
        with np.load(folder / f"{rank}.npz") as file:
            result = {name: file[name] for name in file.files}
        overflows.append(not math.isfinite(result.pop("norm of an overflow")))
        losses.append(result["loss"])
        errors.append(distance(result | {"loss": exact["loss"]}, exact))
    loss_error = abs(float(np.mean(losses) / exact["loss"]) - 1)
    error = max(*errors, loss_error)
    kind = "NCCL" if number_of_gpus() else "gloo"
    noticed = f"an overflow on one is noticed by {sum(overflows)}"
    return judged(
        error < TOLERANCE and all(overflows),
        f"{count} processes, {kind}: {error:.0e} from one process in float64; {noticed}",
        f"{TOLERANCE:g} at most, and an overflow on one noticed by all {count}",
    )


def main(folder: str) -> None:
    """Writes the loss and the averaged gradients of this device."""
    end_with_those_above()
    expect_import()
    devices.join()
    paddle.set_default_dtype("float64")
    rank = devices.rank()
    model = small_model("float64")
    losses = forward_backward(model, chunk_of(range(rank, rank + 1)), "float64")
    devices.average_gradients(model)
    results = {"loss": losses.mean().numpy(), **gradients_of(model)}
    results["norm of an overflow"] = np.array(_norm_with_overflow(rank))
    np.savez(Path(folder, f"{rank}.npz"), **results)


def _norm_with_overflow(rank: int) -> float:
    """Returns the norm of the averaged gradients where the last device has an overflow."""
    model = small_model("float64")
    scale = math.inf if rank == devices.count() - 1 else 1.0
    forward_backward(model, chunk_of(range(rank, rank + 1)), "float64", scale)
    devices.average_gradients(model)
    return clip(model, NO_CLIPPING)


CHECKS = {"gather of all devices": gather}

if __name__ == "__main__":
    main(sys.argv[1])
