"""Approximate search with an index of faiss, and the overlap of a search with the exact one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np
from numpy import ndarray
from tqdm import tqdm

from rocketqa.files.errors import DataError
from rocketqa.files.machine_errors import refuse_without_memory
from rocketqa.search.candidates import Search
from rocketqa.search.exact_search import QUERIES_AT_ONCE, Scored
from rocketqa.search.kernels import thread_count
from rocketqa.search.vectors import VectorStore

MEMORY_OF_THREAD = 192 << 20  # bytes of address space; measured 146 to 178 MiB a thread
SAMPLE_QUERIES = 100  # queries that measure the overlap with exact search
PLACE_IN_FAISS = re.compile(r"^Error in .*? at \S+:\d+: ")  # of the code that raised an error


class ApproximateSearch:
    """Searches an index that faiss makes from a factory string such as HNSW32 or IVF4096,PQ64.

    The scores are those that faiss computes.

    parameters: settings of the index such as nprobe=32, or empty. max_memory: bytes of passage
    vectors in memory beside the index. Raises DataError where faiss cannot make the index: an
    unknown string, too few passages to train.
    """

    def __init__(
        self,
        passages: VectorStore,
        factory: str,
        parameters: str,
        max_memory: int,
    ):
        self.passages = passages
        bytes_per_passage = 8 * passages.size  # a float32 vector here and a copy inside faiss
        rows_that_fit = max(1, max_memory // bytes_per_passage)
        block_rows = min(len(passages), rows_that_fit)
        faiss.omp_set_num_threads(thread_count())
        with faiss_errors_as_one_line(f"--index {factory}"):
            self.index = empty_index(passages.size, factory)
            sample = passages.sample(block_rows)
            train(self.index, sample)
            for begin in range(0, len(passages), block_rows):
                end = min(begin + block_rows, len(passages))
                self.index.add(passages.read(begin, end))
        set_parameters(self.index, parameters, "--index-parameters")

    def search(
        self,
        queries: ndarray,
        depth: int,
        progress: tqdm | None = None,
    ) -> Iterator[list[Scored]]:
        """Yields the passages that the index finds for each query, by rank, at most `depth`."""
        count = min(depth, len(self.passages))
        for begin in range(0, len(queries), QUERIES_AT_ONCE):
            some_queries = queries[begin : begin + QUERIES_AT_ONCE]
            scores, places = self.index.search(some_queries, count)
            for row_scores, row_places in zip(scores, places):
                yield self._ranking(row_scores, row_places)
        if progress is not None:
            progress.update(len(self.passages))

    def _ranking(self, scores: ndarray, places: ndarray) -> list[Scored]:
        """Returns the passages of one query; faiss marks a missing result with the place -1."""
        found = places >= 0
        passage_ids = self.passages.ids.at(places[found])
        return list(zip(passage_ids, scores[found].tolist()))


def empty_index(size: int, factory: str) -> faiss.Index:
    """Returns an index for inner products of vectors of a size, which knows no vectors yet."""
    return faiss.index_factory(size, factory, faiss.METRIC_INNER_PRODUCT)


def train(index: faiss.Index, sample: ndarray) -> None:
    """Trains an index with vectors float32 [n, H].

    Raises OSError where its threads may not have the memory that they need: faiss would crash.
    """
    refuse_without_memory(thread_count() * MEMORY_OF_THREAD)
    index.train(sample)


def set_parameters(index: faiss.Index, parameters: str, flag: str) -> None:
    """Sets how an index searches, such as nprobe=32; an empty text changes nothing.

    Raises DataError, which names the flag, where the index has no such parameters.
    """
    if not parameters:
        return
    with faiss_errors_as_one_line(f"{flag} {parameters}"):
        # faiss's stubs know only the C++ overload with a parameter's name and its value.
        faiss.ParameterSpace().set_index_parameters(index, parameters)  # type: ignore[arg-type]


def overlap(
    approximate: Search,
    exact: Search,
    queries: ndarray,
    depth: int,
) -> float:
    """Returns the share of the exact best passages that the approximate search finds.

    It is measured on at most SAMPLE_QUERIES evenly spaced queries of float32 [Q, H].
    """
    sample_size = min(SAMPLE_QUERIES, len(queries))
    sample_rows = np.linspace(0, len(queries) - 1, sample_size)
    sample = queries[sample_rows.astype(int)]
    common_count = 0
    exact_count = 0
    found_rankings = approximate.search(sample, depth)
    best_rankings = exact.search(sample, depth)
    for found, best in zip(found_rankings, best_rankings):
        found_ids = {passage_id for passage_id, _ in found}
        best_ids = {passage_id for passage_id, _ in best}
        common_count += len(found_ids & best_ids)
        exact_count += len(best_ids)
    return common_count / exact_count


@contextmanager
def faiss_errors_as_one_line(place: str) -> Iterator[None]:
    """Turns an exception of faiss into a DataError at a place."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError) as error:
        lines = str(error).strip().splitlines()
        reason = PLACE_IN_FAISS.sub("", lines[-1]) if lines else type(error).__name__
        raise DataError(
            f"{place}: expected an index for these vectors, got from faiss: {reason}"
        ) from error
