"""The GPUs of a machine are counted, and its smallest memory found, where Paddle knows GPUs."""

import inspect
import sys
from importlib import metadata
from types import SimpleNamespace

import paddle

from rocketqa.distributed import gpus

GIB = 2**30


def pretend_gpus(monkeypatch, *memories: int) -> None:
    """Replaces what Paddle and pip say of the GPUs of this machine."""
    asked = inspect.signature(paddle.device.cuda.get_device_properties).parameters
    assert list(asked) == ["device"]
    assert not inspect.signature(paddle.device.cuda.device_count).parameters
    monkeypatch.setattr(gpus, "version", lambda package: "3.3.1")
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: len(memories))
    properties = [SimpleNamespace(total_memory=memory) for memory in memories]
    monkeypatch.setattr(paddle.device.cuda, "get_device_properties", lambda gpu: properties[gpu])


def test_a_paddle_that_computes_on_the_cpu_has_no_gpus(monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(gpus, "version", version)
    monkeypatch.setitem(sys.modules, "paddle", None)  # it need not be loaded
    assert gpus.number_of_gpus() == 0


def test_gpus_are_counted_and_the_smallest_memory_is_found(monkeypatch):
    pretend_gpus(monkeypatch, 80 * GIB, 16 * GIB, 40 * GIB)
    assert gpus.number_of_gpus() == 3
    assert gpus.smallest_memory(3) == 16 * GIB
