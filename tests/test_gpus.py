"""The GPUs of a machine are counted, and its smallest memory found, where Paddle knows GPUs."""

import sys
from importlib import metadata

from pretended_gpus import A100, V100, pretend_gpus

from rocketqa.distributed import gpus

GIB = 2**30


def test_a_paddle_that_computes_on_the_cpu_has_no_gpus(monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(gpus, "version", version)
    monkeypatch.setitem(sys.modules, "paddle", None)  # it need not be loaded
    assert gpus.number_of_gpus() == 0


def test_gpus_are_counted_and_the_smallest_memory_is_found(monkeypatch):
    pretend_gpus(monkeypatch, A100, V100, A100, memories=[80 * GIB, 16 * GIB, 40 * GIB])
    assert gpus.number_of_gpus() == 3
    assert gpus.smallest_memory(3) == 16 * GIB
