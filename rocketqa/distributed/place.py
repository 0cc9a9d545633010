"""The device that a Python program computes on, and the cores that Paddle may use there."""

import os

import paddle
import paddle.distributed as dist

from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.files.errors import DataError


def place_of(use_cuda: bool, device_id: int) -> paddle.base.core.Place:
    """Returns the CPU, or the GPU `device_id`; in a launch, the GPU that the launcher assigned.

    Raises DataError where there is no such GPU.
    """
    if not use_cuda:
        use_all_cores()
        return paddle.CPUPlace()
    devices = number_of_gpus()
    if dist.get_world_size() > 1:
        device_id = dist.ParallelEnv().device_id
    if not 0 <= device_id < devices:
        expected = f"one of {devices} GPUs that this Paddle knows"
        advice = "" if devices else "; use_cuda=False computes without"
        raise DataError(f"device_id: expected {expected}, got {device_id}{advice}")
    return paddle.CUDAPlace(device_id)


def use_all_cores() -> None:
    """Lets Paddle use all cores of this process, as the commands do; a set OMP_NUM_THREADS stays.

    By default Paddle uses one core, which is half the speed on two.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) // dist.get_world_size()
        paddle.base.core.set_num_threads(max(1, cores))
