"""Finds the nearest vectors of a block in float32: by faiss on the GPUs if there are any, else by
the kernels of the CPU (kernels.py), or without a C compiler by faiss.

The vectors of a block lie on the GPUs, an equal part on each, while all queries pass: they cross
the bus once for each block, not once for each search. Of a GPU nothing is asked but candidates,
which get exact scores on the CPU, so a ranking does not depend on what found them.

Letters: Q queries, N vectors of a block, H vector size, C candidates of each query.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np
from numpy import ndarray

from rocketqa.files.errors import DataError, one_line
from rocketqa.search import kernels

GPU_DEPTH = 2048  # the largest number of results that faiss can give on a GPU
ON_CPU = "CUDA_VISIBLE_DEVICES= hides the GPUs, and the CPU searches"


class Gpus:
    """The GPUs that faiss sees. On each it takes up to 1.5 GiB to work with, at the first use."""

    def __init__(self) -> None:
        self.count = _gpu_count()
        self._resources = [faiss.StandardGpuResources() for _ in range(self.count)]

    def hold(self, vectors: ndarray) -> faiss.IndexShards:
        """Returns an index that holds the vectors, float32 [N, H], in equal parts on the GPUs.

        It searches all parts at once. Raises DataError where they do not fit.
        """
        size = vectors.shape[1]
        threaded, successive_ids = True, True
        # faiss's stubs know only the C++ overload without a size.
        shards = faiss.IndexShards(size, threaded, successive_ids)  # type: ignore[call-arg]
        with _faults_in_one_line(vectors):
            for device, resources in enumerate(self._resources):
                config = faiss.GpuIndexFlatConfig()
                config.device = device
                config.use_cuvs = False  # its products need not be those of float32
                part = faiss.GpuIndexFlatIP(resources, size, config)
                shards.add_shard(part)
            shards.add(vectors)
        return shards


class BlockIndex:
    """The vectors of a block, float32 [N, H], as faiss searches them."""

    def __init__(self, vectors: ndarray, gpus: Gpus):
        self._vectors = vectors
        self._gpus = gpus
        self._on_gpus: faiss.IndexShards | None = None  # from the first search there on

    @property
    def may_round(self) -> bool:
        """Whether products may be of fewer bits than float32 has: a GPU can be told so."""
        return self._gpus.count > 0

    def nearest(self, queries: ndarray, count: int) -> tuple[ndarray, ndarray]:
        """Returns the float32 products and rows of each query's C nearest vectors, in any order.

        queries: float32 [Q, H]. count: C. Both results are [Q, C].
        """
        if not self._gpus.count or count > GPU_DEPTH:
            return self._nearest_on_cpu(queries, count)
        if self._on_gpus is None:
            self._on_gpus = self._gpus.hold(self._vectors)
        queries = np.ascontiguousarray(queries)
        with _faults_in_one_line(self._vectors):
            return self._on_gpus.search(queries, count)

    def _nearest_on_cpu(self, queries: ndarray, count: int) -> tuple[ndarray, ndarray]:
        if kernels.library() is None or len(self._vectors) > kernels.LARGEST_ROW:
            return faiss.knn(queries, self._vectors, count, metric=faiss.METRIC_INNER_PRODUCT)
        return kernels.largest_products(queries, self._vectors, count)


def _gpu_count() -> int:
    """Returns how many GPUs faiss sees. Raises DataError where their driver does not answer."""
    try:
        return faiss.get_num_gpus()
    except RuntimeError as error:
        raise DataError(
            f"GPUs: expected faiss to count them, got {one_line(error)}: {ON_CPU}"
        ) from error


@contextmanager
def _faults_in_one_line(vectors: ndarray) -> Iterator[None]:
    """Turns an error of faiss on a GPU into a DataError."""
    try:
        yield
    except RuntimeError as error:
        if "memory" in str(error):
            rows, size = vectors.shape
            raise DataError(
                f"GPUs: expected memory for {rows:,} vectors of size {size}, got {_reason(error)}: "
                "choose a smaller --max-memory (each GPU needs 1.5 GiB besides)"
            ) from error
        raise DataError(
            f"GPUs: expected an answer of faiss, got {_reason(error)}: {ON_CPU}"
        ) from error


def _reason(error: RuntimeError) -> str:
    """Returns the end of an error of faiss; its beginning names functions and files."""
    words = str(error).split("Error: ")[-1].split()
    return " ".join(words)[-200:]
