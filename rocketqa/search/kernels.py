"""Candidates of exact search and their float64 products, by compiled kernels on the CPU.

Float32 products come from numpy's matrix product; the kernels (`search_kernels.c`) keep the largest
of each query while its products are still in the processor's cache, and multiply the candidates in
float64. Without a C compiler, faiss and numpy do both.

Letters: Q queries, N passages of a block, H vector size, C candidates of each query.
"""

import ctypes
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy import float32, float64, int64, ndarray

from rocketqa.jobs.compiled_library import LibrarySource

SOURCE = LibrarySource("search_kernels", [Path(__file__).with_name("search_kernels.c")])
PRODUCTS_AT_ONCE = 1 << 21  # 8 MiB of float32, which stay in the cache
ROOM = 4  # times C: candidates of a query that are kept before the largest C of them are chosen
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
    slices = _slices(len(queries))
    columns = max(count, PRODUCTS_AT_ONCE // len(queries))
    buffer = np.empty(len(queries) * min(columns, len(vectors)), float32)
    with ThreadPoolExecutor(len(slices)) as pool:
        for begin in range(0, len(vectors), columns):
            part = vectors[begin : begin + columns]
            products = buffer[: len(queries) * len(part)].reshape(len(queries), -1)  # [Q, n]
            np.matmul(queries, part.T, out=products)
            list(pool.map(partial(selection.add, products, begin), slices))
        list(pool.map(selection.take, slices))
    return selection.products, selection.rows


def candidate_products(
    queries: ndarray,
    vectors: ndarray,
    rows: ndarray,
    wanted: ndarray,
) -> ndarray:
    """Returns the float64 inner products of queries with their candidates, [Q, C].

    queries: float32 [Q, H]. vectors: float32 [N, H]. rows: int64 [Q, C], ascending for each query.
    wanted: bool [Q, C]; the other products are 0.
    """
    results = np.zeros(rows.shape)
    query_count, count = rows.shape
    wide_queries = queries.astype(float64)
    next_places = np.empty(query_count, int64)

    def multiply(some: slice) -> None:
        sizes = (some.stop - some.start, count, queries.shape[1], len(vectors))
        arrays = (rows[some], wanted[some], next_places[some], results[some])
        _call("multiply_candidates", wide_queries[some], vectors, *sizes, *arrays)

    slices = _slices(query_count)
    with ThreadPoolExecutor(len(slices)) as pool:
        list(pool.map(multiply, slices))
    return results


class _Selection:
    """The largest products of each query so far."""

    def __init__(self, queries: int, count: int):
        self._count = count
        self._room = ROOM * count
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
