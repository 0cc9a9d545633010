"""Exact maximum inner product search (the paper's IndexFlatIP), a block of passages at a time.

A ranking holds exact scores (see exact_scores.py); passages with equal scores are ordered by
passage id, ascending. So a ranking does not depend on the number of shards, the size of blocks, the
number of threads, BLAS, or the machine.

Candidates are found with float32 arithmetic. The error of a float32 inner product is at most
gamma |q| |p|, where gamma = H u / (1 - H u) and u = 2^-24, in whatever order a library adds. A
passage whose float32 product is further than this bound below the K-th best cannot be among the
best. All other passages get exact scores. With GPUs, faiss finds the candidates there
(block_index.py); exact scores are always computed on the CPU.

Letters: Q queries, N passages of a block, H vector size, K depth, C candidates of each query.
"""

import threading
from collections.abc import Iterator
from typing import NamedTuple

import faiss
import numpy as np
from numpy import float32, float64, ndarray, uint32
from tqdm import tqdm

from rocketqa.files.errors import DataError
from rocketqa.search.block_index import BlockIndex, Gpus
from rocketqa.search.exact_scores import (
    EMPTY_KEY,
    Block,
    candidate_scores,
    decode_keys,
    encode_keys,
    float32_error_bounds,
    norms_of,
    smallest_keys,
)
from rocketqa.search.kernels import in_threads, thread_count
from rocketqa.search.near_equal_passages import merge_all_passages
from rocketqa.search.vectors import VectorStore

QUERIES_AT_ONCE = 1024  # queries in one search by faiss
SPARE_CANDIDATES = 32  # candidates beyond K; a sixteenth of K where that is more
LARGEST_PRODUCT = 2.0**127  # of two norms; beyond it, float32 products may overflow
FEW_PASSAGES = 2  # times the candidates: below, one float64 product with all is faster than faiss

Scored = tuple[str, float]  # a passage id and its score


class BlockInMemory(NamedTuple):
    """A block, the row of the store where it begins, and faiss' view of its vectors."""

    begin: int
    block: Block
    by_faiss: BlockIndex


class ExactSearch:
    """Searches the passages of a store. Several threads may share it.

    max_memory: bytes of passage vectors in memory at a time; with GPUs, on each GPU, and those of
    all GPUs together in memory. Raises DataError where a passage id occurs twice.
    """

    def __init__(self, passages: VectorStore, max_memory: int):
        self.passages = passages
        self.rows_by_id = passages.rows_by_id()
        self.orders = np.empty(len(passages), uint32)
        self.orders[self.rows_by_id] = np.arange(len(passages), dtype=uint32)
        bytes_per_passage = 4 * passages.size + 8  # a float32 vector and its float64 norm
        self._gpus = Gpus()
        memory_of_block = max_memory * max(1, self._gpus.count)
        self.block_rows = max(1, memory_of_block // bytes_per_passage)
        self._current: BlockInMemory | None = None
        self._lock = threading.Lock()

    def search(
        self,
        queries: ndarray,
        depth: int,
        progress: tqdm | None = None,
    ) -> Iterator[list[Scored]]:
        """Yields the best passages of each query, by rank, for queries float32 [Q, H].

        Raises DataError on queries of another size and on inner products that float32 cannot hold.
        `progress` is updated by the number of passages searched.
        """
        return map(self._ranking, *self.nearest(queries, depth, progress))

    def nearest(
        self,
        queries: ndarray,
        depth: int,
        progress: tqdm | None = None,
    ) -> tuple[ndarray, ndarray]:
        """Returns what `search` yields, as arrays: float32 scores and rows of the store, [Q, K]."""
        passage_count = len(self.passages)
        with self._lock:
            shape = (len(queries), min(depth, passage_count))
            best = np.full(shape, EMPTY_KEY)
            for begin in self._begins_of_blocks():
                searched = self._search_block(best, queries, begin)
                if progress is not None:
                    progress.update(searched)
        scores = np.empty(shape, float32)
        rows = np.empty(shape, self.rows_by_id.dtype)

        def finish(some: slice) -> None:
            best[some].sort(axis=1)
            scores[some], orders = decode_keys(best[some])
            rows[some] = self.rows_by_id[orders]

        in_threads(finish, len(best))
        return scores, rows

    def _search_block(
        self,
        best: ndarray,
        queries: ndarray,
        begin: int,
    ) -> int:
        """Searches the block that begins at a row and returns its number of passages.

        This is a method of its own so that no local variable keeps a block in memory while the next
        one is read.
        """
        current = self._block(begin)
        merge_block(best, queries, current.block, current.by_faiss)
        return len(current.block.vectors)

    def _ranking(self, scores: ndarray, rows: ndarray) -> list[Scored]:
        """Returns the passages of one query, by rank."""
        return list(zip(self.passages.ids.at(rows), scores.tolist()))

    def _begins_of_blocks(self) -> list[int]:
        """Returns the first row of each block, that of the block in memory first: the end of the
        previous search left it there.
        """
        begins = list(range(0, len(self.passages), self.block_rows))
        if self._current is not None:
            begins.remove(self._current.begin)
            begins.insert(0, self._current.begin)
        return begins

    def _block(self, begin: int) -> "BlockInMemory":
        """Returns the block that begins at a row; the previous block is released first."""
        if self._current is None or self._current.begin != begin:
            self._current = None
            end = min(begin + self.block_rows, len(self.passages))
            vectors = self.passages.read(begin, end)
            norms = norms_of(vectors)
            block = Block(vectors, norms, self.orders[begin:end])
            index = BlockIndex(vectors, self._gpus)
            self._current = BlockInMemory(begin, block, index)
        return self._current


def merge_block(
    best: ndarray,
    queries: ndarray,
    block: Block,
    index: BlockIndex,
) -> None:
    """Replaces the keys of the best passages, uint64 [Q, K], where passages of a block are better.

    Raises DataError on queries of another size and on inner products that float32 cannot hold.
    """
    query_size = queries.shape[1]
    passage_size = block.vectors.shape[1]
    if query_size != passage_size:
        raise DataError(
            f"vectors: expected queries of the passages' size {passage_size}, got {query_size}"
        )
    query_norms = norms_of(queries)
    largest = query_norms.max(initial=0) * block.norms.max()
    if largest >= LARGEST_PRODUCT:
        raise DataError(
            "vectors: expected inner products that float32 holds, got norms of product "
            f"{largest:.3g}"
        )
    faiss.omp_set_num_threads(thread_count())
    for begin in range(0, len(queries), QUERIES_AT_ONCE):
        rows = slice(begin, begin + QUERIES_AT_ONCE)
        _merge_candidates(best[rows], queries[rows], query_norms[rows], block, index)


def _merge_candidates(
    best: ndarray,
    queries: ndarray,
    query_norms: ndarray,
    block: Block,
    index: BlockIndex,
) -> None:
    """Merges the candidates of a block; where more may be needed, all passages of the block."""
    depth = best.shape[1]
    passage_count = len(block.vectors)
    spare = max(SPARE_CANDIDATES, depth // 16)
    candidate_count = depth + spare
    if passage_count < FEW_PASSAGES * candidate_count:
        merge_all_passages(best, queries, block)
        return
    approximate, places = index.nearest(queries, candidate_count)  # both [Q, C]
    errors = float32_error_bounds(query_norms, block)
    is_above = np.empty(places.shape, bool)
    is_incomplete = np.empty(len(queries), bool)

    def look(some: slice) -> None:
        floors = _score_floors(best[some], approximate[some], errors[some])
        is_above[some] = approximate[some] >= floors[:, None]
        # If all candidates are above the floor, there may be more passages above it.
        is_incomplete[some] = is_above[some].all(axis=1)
        is_above[some][is_incomplete[some]] = False

    in_threads(look, len(queries))
    scores = candidate_scores(queries, block, places, is_above)

    def merge(some: slice) -> None:
        if index.may_round:
            _refuse_larger_errors(scores[some], approximate[some], is_above[some], errors[some])
        keys = encode_keys(scores[some], block.orders[places[some]])
        keys[~is_above[some]] = EMPTY_KEY
        best[some] = smallest_keys(best[some], keys)

    in_threads(merge, len(queries))
    incomplete = np.flatnonzero(is_incomplete)
    best_of_incomplete = best[incomplete]
    merge_all_passages(best_of_incomplete, queries[incomplete], block)
    best[incomplete] = best_of_incomplete


def _refuse_larger_errors(
    exact: ndarray, approximate: ndarray, is_above: ndarray, bounds: ndarray
) -> None:
    """Raises DataError where products of candidates are not those of float32 arithmetic.

    A ranking is exact only as long as they are. A GPU that is told to may compute with fewer bits.
    exact, approximate: float32 [Q, C]. is_above: which of them count. bounds: of their errors, [Q].
    """
    differences = np.abs(exact.astype(float64) - approximate)
    largest = differences.max(axis=1, where=is_above, initial=0)  # [Q]
    if (largest > bounds).any():
        worst = (largest - bounds).argmax()
        raise DataError(
            f"vectors: expected float32 products within {bounds[worst]:.3g} of the exact ones, got "
            f"an error of {largest[worst]:.3g}: unset NVIDIA_TF32_OVERRIDE"
        )


def _score_floors(
    best: ndarray,
    approximate: ndarray,
    errors: ndarray,
) -> ndarray:
    """Returns the float32 products, float64 [Q], below which no passage can be among the best.

    best: keys [Q, K]. approximate: float32 products of the candidates, [Q, C]. errors: their bounds
    [Q].
    """
    depth = best.shape[1]
    worst_keys = best.max(axis=1)
    worst, _ = decode_keys(worst_keys)  # the K-th best scores; nan where there are fewer
    floors = worst.astype(float64) - errors
    floors[np.isnan(worst)] = -np.inf
    # The exact scores of the K largest products are at least the K-th product minus the error.
    place = approximate.shape[1] - depth
    last_products = np.partition(approximate, place, axis=1)[:, place]
    return np.maximum(floors, last_products - 2 * errors)
