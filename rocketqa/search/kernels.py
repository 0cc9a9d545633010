"""Candidates of exact search and their float64 products, by compiled kernels on the CPU.

Float32 products come from numpy's matrix product; the kernels (`search_kernels.c`) keep the largest
of each query while its products are still in the processor's cache, and multiply the candidates in
float64. Without a C compiler, faiss and numpy do both.

Letters: Q queries, N passages of a block, H vector size, C candidates of each query.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy import float32, int64, ndarray

from rocketqa.jobs.compiled_library import LibrarySource

SOURCE = LibrarySource("search_kernels", [Path(__file__).with_name("search_kernels.c")])
PRODUCTS_AT_ONCE = 1 << 21  # 8 MiB of float32, which stay in the cache
ROOM = 4  # times C: candidates of a query that are kept before the largest C of them are chosen
GROUP = 32  # and so many more: those that the kernels add at once
CANDIDATE_BYTES = 8
LARGEST_ROW = 2**31 - 1


@cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled kernels; None where there are none (`LibrarySource.load`)."""
    return SOURCE.load("faiss and numpy find and score the passages instead")


def thread_count() -> int:
    """Returns the number of threads of a search: OMP_NUM_THREADS, else this process's cores."""
    cores = len(os.sched_getaffinity(0))
    return int(os.environ.get("OMP_NUM_THREADS", cores))


def largest_products(queries: ndarray, vectors: ndarray, count: int) -> tuple[ndarray, ndarray]:
    """Returns the C largest float32 products of each query, by row, and the rows: [Q, C].

    queries: float32 [Q, H]. vectors: float32 [N, H], N from C to LARGEST_ROW.
    """
    selection = _Selection(len(queries), count)
    columns = max(count, PRODUCTS_AT_ONCE // len(queries))
    buffer = np.empty(len(queries) * min(columns, len(vectors)), float32)
    for begin in range(0, len(vectors), columns):
        part = vectors[begin : begin + columns]
        products = buffer[: len(queries) * len(part)].reshape(len(queries), -1)  # [Q, n]
        np.matmul(queries, part.T, out=products)
        in_threads(partial(selection.add, products, begin), len(queries))
    in_threads(selection.take, len(queries))
    return selection.products, selection.rows


def candidate_products(
    queries: ndarray,
    vectors: ndarray,
    rows: ndarray,
    wanted: ndarray,
) -> ndarray:
    """Returns the float64 inner products of queries with their candidates, [Q, C], in one thread.

    queries: float32 [Q, H]. vectors: float32 [N, H]. rows: int64 [Q, C], ascending for each query.
    wanted: bool [Q, C]; the other products are 0.
    """
    results = np.zeros(rows.shape)
    sizes = (*rows.shape, queries.shape[1], len(vectors))
    next_places = np.empty(len(rows), int64)
    queries = np.ascontiguousarray(queries)
    _call("multiply_candidates", queries, vectors, *sizes, rows, wanted, next_places, results)
    return results


class _Selection:
    """The largest products of each query so far."""

    def __init__(self, queries: int, count: int):
        self._count = count
        self._room = ROOM * count + GROUP
        self._candidates = np.empty((queries, self._room * CANDIDATE_BYTES), np.uint8)
        self._sizes = np.zeros(queries, int64)
        self._floors = np.full(queries, -np.inf, float32)
        self.products = np.empty((queries, count), float32)
        self.rows = np.empty((queries, count), int64)

    def add(self, products: ndarray, first_row: int, some: slice) -> None:
        """Adds the products of a part, float32 [Q, n], for some queries."""
        queries, columns = products[some].shape
        _call(
            "add_candidates",
            products[some],
            *(queries, columns, first_row, self._count, self._room),
            self._candidates[some],
            self._sizes[some],
            self._floors[some],
        )

    def take(self, some: slice) -> None:
        """Sets the products and rows of some queries."""
        _call(
            "take_candidates",
            *(some.stop - some.start, self._count, self._room),
            self._candidates[some],
            self._sizes[some],
            self.products[some],
            self.rows[some],
        )


def in_threads(work: Callable[[slice], object], rows: int) -> None:
    """Calls `work` with the rows in as many parts as there are threads, at the same time."""
    *others, own = _slices(rows)
    running = [_threads(os.getpid(), len(others)).submit(work, part) for part in others]
    work(own)
    for part in running:
        part.result()


@cache
def _threads(process: int, count: int) -> ThreadPoolExecutor:
    """Returns threads that wait for work; after a fork, the new process has its own."""
    return ThreadPoolExecutor(count)


def _slices(rows: int) -> list[slice]:
    """Returns the rows in as many parts as there are threads; none of them is empty."""
    parts = max(1, min(rows, thread_count()))
    bounds = np.linspace(0, rows, parts + 1).astype(int).tolist()
    return [slice(begin, end) for begin, end in zip(bounds, bounds[1:])]


def _call(name: str, *arguments: ndarray | int) -> None:
    kernels = library()
    assert kernels is not None, "the caller has looked"
    getattr(kernels, name)(*_as_c(arguments))


def _as_c(arguments: tuple[ndarray | int, ...]) -> Iterator[object]:
    for argument in arguments:
        if isinstance(argument, int):
            yield ctypes.c_long(argument)
        else:
            assert argument.flags.c_contiguous, "kernels read the rows one after the other"
            yield ctypes.c_void_p(argument.ctypes.data)
