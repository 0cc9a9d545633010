"""GPUs that are none: what Paddle says of its devices is replaced, and the CPU computes for them.

No machine of ours has a GPU. A function of Paddle that is replaced takes the arguments that the
installed one takes; `gpu_operators.py` has operators that compute what only a GPU can.
"""

import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import paddle
from paddle.base import core

from rocketqa.distributed import gpus

V100 = (7, 0)
A100 = (8, 0)
H100 = (9, 0)
MEMORY = 80 * 2**30


def replace(monkeypatch, owner: Any, name: str, false: Callable) -> None:
    """Replaces a function of a library; a call that the real one would not take is an error."""
    try:
        signature = inspect.signature(getattr(owner, name))
    except ValueError:  # a function of C++ has no signature
        monkeypatch.setattr(owner, name, false)
        return

    def checked(*arguments: object, **named: object) -> Any:
        signature.bind(*arguments, **named)
        return false(*arguments, **named)

    monkeypatch.setattr(owner, name, checked)


def pretend_gpus(
    monkeypatch, *capabilities: tuple[int, int], memories: Sequence[int] = ()
) -> list[bool]:
    """Lets Paddle tell of GPUs with these compute capabilities; the first of them is in use.

    memories: in bytes, 80 GiB each by default. Returns the values that TF32 is switched to.
    """
    memories = memories or [MEMORY] * len(capabilities)
    cuda = paddle.device.cuda
    device = ["gpu:0"]
    set_device = paddle.set_device

    def pretend(name: str) -> Any:
        device[0] = name
        return set_device("cpu")

    def properties(number: int) -> SimpleNamespace:
        major, minor = capabilities[number]
        return SimpleNamespace(name="GPU", major=major, minor=minor, total_memory=memories[number])

    def capability(number: int = 0) -> tuple[int, int]:
        return capabilities[number]

    monkeypatch.setattr(gpus, "version", lambda package: "3.3.1")
    replace(monkeypatch, paddle, "set_device", pretend)
    for owner in (paddle, paddle.device):
        replace(monkeypatch, owner, "get_device", lambda: device[0])
    replace(monkeypatch, cuda, "device_count", lambda: len(capabilities))
    replace(monkeypatch, cuda, "get_device_properties", properties)
    replace(monkeypatch, cuda, "get_device_capability", capability)
    monkeypatch.setattr(paddle, "CUDAPlace", lambda device_id: paddle.CPUPlace())
    monkeypatch.setattr(paddle, "CUDAPinnedPlace", lambda: paddle.CPUPlace())
    replace(
        monkeypatch, paddle.Tensor, "cuda", lambda tensor, device_id=None, blocking=True: tensor
    )
    switched: list[bool] = []
    # Paddle 2.6.2 has it in its builds for GPUs alone.
    monkeypatch.setattr(core, "set_cublas_switch", switched.append, raising=False)
    return switched


def pretend_autocast(monkeypatch, precision: str) -> None:
    """Lets Paddle say that it is within `auto_cast` in this precision, which no CPU has."""
    replace(monkeypatch, paddle, "is_autocast_enabled", lambda: True)
    replace(monkeypatch, paddle, "get_autocast_dtype", lambda: precision)
