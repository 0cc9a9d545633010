"""GPUs for faiss on a machine without any: its GPU functions, by those of its CPU.

Replaced is what only faiss-gpu has, and no more. The calls and their arguments are those that
faiss-gpu 1.15.1 takes: `GpuIndexFlatIP(GpuResourcesProvider, int, GpuIndexFlatConfig)`.
"""

from typing import NamedTuple

import faiss


class Config:
    """GpuIndexFlatConfig, with the fields that are set."""

    __slots__ = ("device", "use_cuvs")


class Resources:
    """StandardGpuResources."""


class Part(NamedTuple):
    """The vectors on one GPU."""

    device: int
    index: faiss.IndexFlatIP

    @property
    def vectors(self) -> int:
        """How many vectors have been copied to the GPU."""
        return self.index.ntotal


def install_gpus(monkeypatch, count: int) -> list[Part]:
    """Lets faiss see so many GPUs, and returns the list of what is put on them from now on."""
    parts: list[Part] = []

    def flat_index(resources: Resources, dims: int, config: Config) -> faiss.IndexFlatIP:
        assert isinstance(resources, Resources) and not config.use_cuvs
        index = faiss.IndexFlatIP(dims)
        parts.append(Part(config.device, index))
        return index

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: count)
    monkeypatch.setattr(faiss, "StandardGpuResources", Resources, raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatConfig", Config, raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatIP", flat_index, raising=False)
    return parts
