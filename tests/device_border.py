"""Replaces calls of a device at their border. A false one takes what the installed one takes."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import paddle
import pytest


def replace(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, false: Callable) -> None:
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


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, *capabilities: tuple[int, int]) -> None:
    """Lets Paddle tell of GPUs with these compute capabilities, which the CPU computes for.

    As on a CPU, autocast does nothing.
    """
    cuda = paddle.device.cuda
    device = ["cpu"]
    set_device = paddle.set_device

    def pretend(name: str) -> Any:
        device[0] = name
        return set_device("cpu")

    def properties(number: int) -> SimpleNamespace:
        major, minor = capabilities[number]
        return SimpleNamespace(name="GPU", major=major, minor=minor, total_memory=80 * 2**30)

    replace(monkeypatch, paddle, "is_compiled_with_cuda", lambda: True)
    replace(monkeypatch, paddle, "set_device", pretend)
    replace(monkeypatch, paddle, "get_device", lambda: device[0])
    replace(monkeypatch, cuda, "device_count", lambda: len(capabilities))
    replace(monkeypatch, cuda, "get_device_properties", properties)
    replace(monkeypatch, cuda, "get_device_capability", lambda number: capabilities[number])


def multiply_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a product of float16 be computed, in float32: a CPU has none."""
    multiply = paddle.matmul

    def product(a: paddle.Tensor, b: paddle.Tensor, *flags: bool, **named: bool) -> paddle.Tensor:
        if a.dtype != paddle.float16:
            return multiply(a, b, *flags, **named)
        return multiply(a.astype("float32"), b.astype("float32"), *flags, **named).astype("float16")

    monkeypatch.setattr(paddle, "matmul", product)
