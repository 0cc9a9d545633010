"""The devices that Paddle computes on, and whether it has machine code for them."""

import os
import re
from pathlib import Path

import paddle

from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.doctor.findings import ABSENT, OK, WRONG, Judgement, judged

GIB = 2**30
PROCESSOR = Path("/proc/cpuinfo")
Capability = tuple[int, int]  # 8, 6 of a GPU that runs machine code for sm_86


def devices() -> Judgement:
    """Returns the finding about the devices that Paddle knows."""
    if not paddle.is_compiled_with_cuda():
        return OK, _cpu()
    if not number_of_gpus():
        return WRONG, (
            f"expected a GPU for this Paddle for CUDA {paddle.version.cuda()}, got none: see the "
            "row driver, and CUDA_VISIBLE_DEVICES"
        )
    lines = [f"{number}: {_gpu(number)}" for number in range(number_of_gpus())]
    built = f"CUDA {paddle.version.cuda()}, cuDNN {paddle.version.cudnn()}"
    return OK, f"{built}; {'; '.join(lines)}"


def _cpu() -> str:
    described = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.is_file() else ""
    model = re.search(r"model name\s*: (.*)", described)
    name = model[1] if model else "a CPU"
    return f"{name}, {len(os.sched_getaffinity(0))} cores for this process"


def _gpu(number: int) -> str:
    properties = paddle.device.cuda.get_device_properties(number)
    memory = properties.total_memory / GIB
    capability = f"{properties.major}.{properties.minor}"
    return f"{properties.name}, compute capability {capability}, {memory:.0f} GiB"


def machine_code() -> Judgement:
    """Returns whether Paddle's own code was compiled for each GPU.

    Machine code runs on GPUs of its generation whose minor number is not smaller.
    """
    if not number_of_gpus():
        return ABSENT, "no GPU"
    if not hasattr(paddle.version, "cuda_archs"):
        return ABSENT, "this Paddle, older than 3, does not say what it was compiled for"
    compiled = [int(arch) for arch in paddle.version.cuda_archs()]
    capabilities = sorted(
        {paddle.device.cuda.get_device_capability(n) for n in range(number_of_gpus())}
    )
    listed = " ".join(f"sm_{arch}" for arch in compiled)
    named = ", ".join(f"sm_{major}{minor}" for major, minor in capabilities)
    return judged(
        all(runs_on(capability, compiled) for capability in capabilities),
        f"{named} of {listed}",
        f"a Paddle that is compiled for {named}",
    )


def runs_on(capability: Capability, compiled: list[int]) -> bool:
    """Returns whether a GPU runs any of this machine code."""
    major, minor = capability
    return any(arch // 10 == major and arch % 10 <= minor for arch in compiled)


CHECKS = {"devices": devices, "machine code": machine_code}
