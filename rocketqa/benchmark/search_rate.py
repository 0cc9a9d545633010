"""How many queries a second exact search answers, beside plain faiss, on vectors in memory."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np

from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.kernels import thread_count
from rocketqa.search.vectors import VectorStore, shard_paths

QUERIES = 200
VECTOR_SIZE = 768
DEPTHS = (100, 1000)
MAX_MEMORY = 4 * 2**30  # bytes; all vectors fit
PAUSE = 0.1  # seconds, after which the threads of the one that was measured before sleep


class SearchRate(NamedTuple):
    """Queries a second of exact search and of faiss, and faiss's time divided by ours."""

    vectors: int
    depth: int
    exact: float
    faiss: float
    speed_up: float


def measure_search(sizes: Sequence[int], rounds: int) -> Iterator[SearchRate]:
    """Yields the rates on random collections of these sizes, at each of the DEPTHS.

    In each round both answer all queries, one after the other; the medians over the rounds count.
    """
    faiss.omp_set_num_threads(thread_count())
    generator = np.random.default_rng(1)
    queries = generator.standard_normal((QUERIES, VECTOR_SIZE), np.float32)
    for size in sizes:
        vectors = generator.standard_normal((size, VECTOR_SIZE), np.float32)
        with temporary_folder() as folder:
            store = _store(Path(folder), vectors)
            exact = ExactSearch(store, MAX_MEMORY)
            index = faiss.IndexFlatIP(VECTOR_SIZE)
            index.add(vectors)
            for depth in DEPTHS:
                yield _measure_depth(exact, index, queries, depth, rounds)


def _store(folder: Path, vectors: np.ndarray) -> VectorStore:
    vectors_file, ids_file = shard_paths(folder, 0)
    np.save(vectors_file, vectors)
    ids_file.write_text("".join(f"p{place}\n" for place in range(len(vectors))))
    return VectorStore([folder])


def _measure_depth(
    exact: ExactSearch, index: faiss.IndexFlatIP, queries: np.ndarray, depth: int, rounds: int
) -> SearchRate:
    list(exact.search(queries[:2], depth))  # reads the vectors into memory
    exact_seconds = []
    faiss_seconds = []
    for _ in range(rounds):
        exact_seconds.append(_seconds_of(lambda: exact.nearest(queries, depth)))
        faiss_seconds.append(_seconds_of(lambda: index.search(queries, depth)))
    ratios = [other / ours for ours, other in zip(exact_seconds, faiss_seconds)]
    return SearchRate(
        vectors=index.ntotal,
        depth=depth,
        exact=len(queries) / statistics.median(exact_seconds),
        faiss=len(queries) / statistics.median(faiss_seconds),
        speed_up=statistics.median(ratios),
    )


def _seconds_of(search: Callable[[], object]) -> float:
    time.sleep(PAUSE)
    begin = time.perf_counter()
    search()
    return time.perf_counter() - begin
