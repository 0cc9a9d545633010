"""Candidates of exact search and their float64 products, by compiled kernels on the CPU.

The kernels (`search_kernels.c`) multiply a part of the block with all queries in float32, keep the
largest products of each query while these are still in the processor's cache, and multiply the
candidates in float64. Without a C compiler, faiss and numpy do both.

Letters: Q queries, N passages of a block, H vector size, C candidates of each query.
"""

import ctypes
import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy import float32, int64, ndarray

from rocketqa.jobs.compiled_library import LibrarySource

ROOT = Path(__file__).parent.parent
FILES = ("search/search_kernels.c", "encoder/float32_tile.h")
SOURCE = LibrarySource("search_kernels", [ROOT / name for name in FILES])
PANEL = 16  # queries that the kernels read together
FEW_QUERIES = 4  # that are read one by one: up to here it is faster
PRODUCTS_AT_ONCE = 1 << 21  # 8 MiB of float32, which stay in the cache
ROOM = 4  # times C: candidates of a query that are kept before the largest C of them are chosen
CANDIDATE_BYTES = 8
LARGEST_ROW = 2**31 - 1

_kept = threading.local()


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
    panels = math.ceil(len(queries) / PANEL)
    selection = _Selection(len(queries), panels, count)
    if len(queries) <= FEW_QUERIES:
        multiply = partial(_multiply_few, np.ascontiguousarray(queries))
    else:
        multiply = partial(_multiply, _in_panels(queries))
    rows = max(count, PRODUCTS_AT_ONCE // (PANEL * panels))
    buffer = _buffer(PANEL * panels * min(rows, len(vectors)))
    for begin in range(0, len(vectors), rows):
        part = np.ascontiguousarray(vectors[begin : begin + rows])
        shape = (panels, len(part), PANEL)
        products = buffer[: math.prod(shape)].reshape(shape)
        in_threads(partial(multiply, part, products), len(part))
        in_threads(partial(selection.add, products, begin), panels)
    in_threads(selection.take, len(queries))
    return selection.products, selection.rows


def _buffer(size: int) -> ndarray:
    """Returns room for products, float32 [size], which the next search of this thread uses again:
    the system takes its time to give so much memory.
    """
    if size > PRODUCTS_AT_ONCE:
        return np.empty(size, float32)
    if len(getattr(_kept, "products", ())) < size:
        _kept.products = np.empty(size, float32)
    return _kept.products[:size]


def _in_panels(queries: ndarray) -> ndarray:
    """Returns queries as the kernels read them, [Q / PANEL, H, PANEL], with 0 behind the last."""
    missing = -len(queries) % PANEL
    padded = np.pad(queries, ((0, missing), (0, 0)))
    by_panel = padded.reshape(-1, PANEL, queries.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(by_panel)


def _multiply(panels: ndarray, vectors: ndarray, products: ndarray, some: slice) -> None:
    """Sets the products of some of the vectors, [n, H], float32 [Q / PANEL, n, PANEL]."""
    sizes = (PANEL * len(panels), *vectors.shape, some.start, some.stop)
    _call("multiply_queries", panels, vectors, *sizes, products)


def _multiply_few(queries: ndarray, vectors: ndarray, products: ndarray, some: slice) -> None:
    """Does the same for queries that are not in panels, [Q, H]."""
    sizes = (*queries.shape, some.start, some.stop)
    _call("multiply_few_queries", queries, vectors, *sizes, products)


def candidate_scores(
    queries: ndarray,
    query_norms: ndarray,
    vectors: ndarray,
    norms: ndarray,
    error: float,
    rows: ndarray,
    wanted: ndarray,
) -> tuple[ndarray, ndarray]:
    """Returns the lowest scores, float32 [Q, C], that float64 inner products of queries with their
    candidates allow, and whether the highest are others, bool [Q, C].

    queries: float32 [Q, H]. vectors: float32 [N, H]. query_norms, norms: their lengths, float64.
    error: of a product of vectors of length 1. rows: int64 [Q, C]. wanted: bool [Q, C]; the others
    have the score 0.
    """
    if (rows[:, 1:] < rows[:, :-1]).any():
        order = rows.argsort(axis=1)
        rows, wanted = (np.take_along_axis(each, order, 1) for each in (rows, wanted))
        by_row = candidate_scores(queries, query_norms, vectors, norms, error, rows, wanted)
        places = order.argsort(axis=1)
        scores, is_open = (np.take_along_axis(each, places, 1) for each in by_row)
        return scores, is_open
    scores = np.zeros(rows.shape, float32)
    is_open = np.zeros(rows.shape, bool)
    sizes = (*rows.shape, queries.shape[1])
    arrays = (np.ascontiguousarray(queries), query_norms, vectors, norms)

    def score(some: slice) -> None:
        bounds = (some.start, some.stop)
        _call("score_candidates", *arrays, error, *sizes, *bounds, rows, wanted, scores, is_open)

    in_threads(score, len(vectors))
    return scores, is_open


class _Selection:
    """The largest products of each query so far. The last panel may have places without a query."""

    def __init__(self, queries: int, panels: int, count: int):
        self._count = count
        self._room = ROOM * count
        places = PANEL * panels
        self._candidates = np.empty((places, self._room * CANDIDATE_BYTES), np.uint8)
        self._sizes = np.zeros(places, int64)
        self._floors = np.full(places, -np.inf, float32)
        self._floors[queries:] = np.inf  # places without a query
        self.products = np.empty((queries, count), float32)
        self.rows = np.empty((queries, count), int64)

    def add(self, products: ndarray, first_row: int, panels: slice) -> None:
        """Adds the products of a part, float32 [Q / PANEL, n, PANEL], for some panels."""
        products = products[panels]
        some = slice(PANEL * panels.start, PANEL * panels.stop)
        _call(
            "add_candidates",
            products,
            *(*products.shape[:2], first_row, self._count, self._room),
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


def _call(name: str, *arguments: ndarray | int | float) -> None:
    kernels = library()
    assert kernels is not None, "the caller has looked"
    getattr(kernels, name)(*_as_c(arguments))


def _as_c(arguments: tuple[ndarray | int | float, ...]) -> Iterator[object]:
    for argument in arguments:
        if isinstance(argument, int):
            yield ctypes.c_long(argument)
        elif isinstance(argument, float):
            yield ctypes.c_double(argument)
        else:
            assert argument.flags.c_contiguous, "kernels read the rows one after the other"
            yield ctypes.c_void_p(argument.ctypes.data)
