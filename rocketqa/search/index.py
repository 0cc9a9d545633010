"""Exact maximum inner product search (the paper's IndexFlatIP), a block of the passages in memory at a time.

A score is the exact inner product of two float32 vectors, rounded to float64, then to float32; equal scores are ordered
by passage id, ascending. So a ranking does not depend on shards, blocks, threads, BLAS or machine. faiss finds
candidates in float32, whose error has a bound in whatever order a library sums: gamma |q| |p|, gamma = H u / (1 - H u),
u = 2^-24. Passages further than that below the last of the best need no look; all others are scored in float64, and by
an exact sum where the error of a float64 leaves the rounding open.

Letters: Q queries, N passages of a block, H vector size, K depth.
"""

import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import faiss
import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.search.vectors import VectorStore

QUERIES_AT_ONCE = 1024
SCORED_AT_ONCE = 128  # rows: they stay in the cache
SWEPT_AT_ONCE = 2048
SPARE = 32  # candidates beyond K, or a sixteenth of K
FLOAT32, FLOAT64 = 2.0**-24, 2.0**-53  # relative errors of one operation
SMALLEST = 2.0**-126  # of a float32; what is below may be flushed to 0
LARGEST = 2.0**127
GPU_DEPTH = 2048  # faiss's limit
EMPTY = np.uint64(2**64 - 1)  # the key of no passage: after all others
SAMPLE = 100  # queries, to measure an approximate index


class Block(NamedTuple):
    """Passages in memory."""

    vectors: np.ndarray  # float32 [N, H]
    norms: np.ndarray  # float64 [N]
    orders: np.ndarray  # uint32 [N], the place of each passage's id among all ids


def threads() -> int:
    """Returns how many threads work: OMP_NUM_THREADS, or this process's cores."""
    return int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))


def encode_keys(scores: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Returns uint64 keys that ascend as our order does: score (float32) descending, then passage id ascending."""
    bits = scores.view(np.uint32)
    descending = np.where(bits >> 31, bits, bits ^ 0x7FFFFFFF).astype(np.uint64)
    return descending << np.uint64(32) | orders


def decode_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the scores and orders of keys; the score of EMPTY is nan."""
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    return np.where(bits >> 31, bits, bits ^ 0x7FFFFFFF).astype(np.uint32).view(
        np.float32
    ), keys.astype(np.uint32)


def smallest(keys: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Returns as many keys as `keys` has, in no order, the smallest of both."""
    return np.partition(np.concatenate([keys, more]), len(keys) - 1)[: len(keys)]


def norms_of(vectors: np.ndarray) -> np.ndarray:
    """Returns |v| of each, float64."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


class ExactSearch:
    """Searches the passages of a store. Threads may share it; `max_memory` bytes bound what it holds of the vectors."""

    def __init__(self, passages: VectorStore, max_memory: int):
        self.passages = passages
        by_id = np.argsort(passages.ids, kind="stable")
        self.ids = passages.ids[by_id]
        if (repeated := np.flatnonzero(self.ids[1:] == self.ids[:-1])).size:
            raise DataError(
                f"{passages.directories[0]}: expected each passage once, got "
                f"{self.ids[repeated[0]].decode()!r} again"
            )
        self.orders = np.empty(len(by_id), np.uint32)
        self.orders[by_id] = np.arange(len(by_id), dtype=np.uint32)
        self.block_rows = max(1, max_memory // (4 * passages.size + 8))
        self._held: tuple[int, Block] | None = None
        self._lock = threading.Lock()

    def search(
        self, queries: np.ndarray, depth: int, progress=None
    ) -> Iterator[list[tuple[str, float]]]:
        """Yields the (passage_id, score) of each query's best passages, by rank, for queries float32 [Q, H].

        Raises DataError on queries of another size and on products beyond float32. `progress` counts passages read.
        """
        with self._lock:
            best = np.full((len(queries), min(depth, len(self.passages))), EMPTY)
            for begin in range(0, len(self.passages), self.block_rows):
                rows = self._take_in(best, queries, begin)
                if progress is not None:
                    progress.update(rows)
        return map(self._ranking, best)

    def _take_in(self, best: np.ndarray, queries: np.ndarray, begin: int) -> int:
        """Searches a block and returns its rows. Nothing but the store's hold keeps it in memory afterwards."""
        block = self._block(begin)
        improve(best, queries, block)
        return len(block.vectors)

    def _ranking(self, keys: np.ndarray) -> list[tuple[str, float]]:
        scores, orders = decode_keys(np.sort(keys))
        return [
            (passage_id.decode(), score)
            for passage_id, score in zip(self.ids[orders].tolist(), scores.tolist())
        ]

    def _block(self, begin: int) -> Block:
        """Returns the block from `begin`; the one before leaves the memory first."""
        if self._held is None or self._held[0] != begin:
            self._held = None
            end = min(begin + self.block_rows, len(self.passages))
            vectors = self.passages.read(begin, end)
            self._held = begin, Block(vectors, norms_of(vectors), self.orders[begin:end])
        return self._held[1]


def improve(best: np.ndarray, queries: np.ndarray, block: Block) -> None:
    """Takes a block's passages into the keys of the best, uint64 [Q, K], where they are better."""
    if queries.shape[1] != block.vectors.shape[1]:
        raise DataError(
            f"vectors: expected queries of the passages' size {block.vectors.shape[1]}, got "
            f"{queries.shape[1]}"
        )
    largest = norms_of(queries).max(initial=0) * block.norms.max()
    if largest >= LARGEST:
        raise DataError(
            f"vectors: expected inner products that float32 holds, got norms of product {largest:.3g}"
        )
    faiss.omp_set_num_threads(threads())
    with ThreadPoolExecutor(threads()) as pool:
        for begin in range(0, len(queries), QUERIES_AT_ONCE):
            rows = slice(begin, begin + QUERIES_AT_ONCE)
            _improve(best[rows], queries[rows], block, pool)


def _improve(best: np.ndarray, queries: np.ndarray, block: Block, pool: ThreadPoolExecutor) -> None:
    depth, count = best.shape[1], len(block.vectors)
    wide = min(count, depth + max(SPARE, depth // 16))
    approximate, places = nearest(queries, block.vectors, wide)  # [Q, wide], descending
    errors = float32_errors(queries, block)
    floors = (
        np.nan_to_num(decode_keys(best.max(axis=1))[0].astype(np.float64), nan=-np.inf) - errors
    )
    if count > depth:  # K passages are above this
        floors = np.maximum(floors, approximate[:, depth - 1] - 2 * errors)
    found = np.count_nonzero(approximate >= floors[:, None], axis=1)
    certain = (found < wide) | (
        wide == count
    )  # else faiss left out some that may be above the floor

    def score(row: int) -> None:
        rows = places[row, : found[row]]
        keys = encode_keys(exact_scores(queries[row], block, rows), block.orders[rows])
        best[row] = smallest(best[row], keys)

    list(pool.map(score, np.flatnonzero(certain), chunksize=16))
    uncertain = np.flatnonzero(~certain)
    best[uncertain] = sweep(best[uncertain], queries[uncertain], block)


def float32_errors(queries: np.ndarray, block: Block) -> np.ndarray:
    """Returns for each query, float64 [Q], what a float32 inner product with a passage may lack of the exact score.

    Products and sums (H operations), the score's own rounding, and numbers so small that a library takes them for 0.
    """
    size, query_norms, passage_norm = queries.shape[1], norms_of(queries), block.norms.max()
    operations = (size + 4) * FLOAT32
    return operations / (1 - operations) * query_norms * passage_norm + size * SMALLEST * (
        1 + query_norms + passage_norm
    )


def nearest(queries: np.ndarray, vectors: np.ndarray, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the float32 scores, descending, and the rows of each query's nearest vectors by faiss: both [Q, wide]."""
    if faiss.get_num_gpus() and wide <= GPU_DEPTH:
        return faiss.knn_gpu(
            faiss.StandardGpuResources(), queries, vectors, wide, metric=faiss.METRIC_INNER_PRODUCT
        )
    return faiss.knn(queries, vectors, wide, metric=faiss.METRIC_INNER_PRODUCT)


def exact_scores(query: np.ndarray, block: Block, rows: np.ndarray) -> np.ndarray:
    """Returns the scores of a query [H] with the passages of `rows`, float32 in their order."""
    query, scores = query.astype(np.float64), np.empty(len(rows), np.float32)
    norm = math.sqrt(query @ query)
    for begin in range(0, len(rows), SCORED_AT_ONCE):
        some = slice(begin, begin + SCORED_AT_ONCE)
        passages = block.vectors[rows[some]].astype(np.float64)
        products = np.matmul(passages[:, None, :], query[:, None])[
            :, 0, 0
        ]  # one dot each: BLAS starts no threads
        scores[some] = rounded(products, norm * block.norms[rows[some]], passages, query)
    return scores


def rounded(
    products: np.ndarray, norms: np.ndarray, passages: np.ndarray, query: np.ndarray
) -> np.ndarray:
    """Returns the float32 scores of float64 products [n], computed in whatever order. norms: |q| |p| of each."""
    errors = 2 * len(query) * FLOAT64 * norms
    scores = (products - errors).astype(np.float32)
    for row in np.flatnonzero(scores != (products + errors).astype(np.float32)):
        scores[row] = math.fsum((passages[row] * query).tolist())
    return scores + np.float32(0)  # makes 0 of -0


def sweep(best: np.ndarray, queries: np.ndarray, block: Block) -> np.ndarray:
    """Returns the best keys after a look at every passage of the block: for queries with very many near-equal ones."""
    queries = queries.astype(np.float64)
    norms = norms_of(queries)
    for begin in range(0, len(block.vectors) if len(queries) else 0, SWEPT_AT_ONCE):
        rows = slice(begin, begin + SWEPT_AT_ONCE)
        passages = block.vectors[rows].astype(np.float64)
        products = queries @ passages.T  # [Q, n]
        for row, query in enumerate(queries):
            scores = rounded(products[row], norms[row] * block.norms[rows], passages, query)
            best[row] = smallest(best[row], encode_keys(scores, block.orders[rows]))
    return best


class ApproximateSearch:
    """Searches an index that faiss makes by a factory string, such as HNSW32 or IVF4096,PQ64; its scores are faiss's.

    Raises DataError on a string that faiss does not know, and on too few passages to train on.
    """

    def __init__(self, passages: VectorStore, factory: str, parameters: str, max_memory: int):
        self.passages = passages
        rows = max(
            1, min(len(passages), max_memory // (8 * passages.size))
        )  # faiss keeps a copy for itself
        faiss.omp_set_num_threads(threads())
        with _faiss_says(f"--index {factory}"):
            self.index = faiss.index_factory(passages.size, factory, faiss.METRIC_INNER_PRODUCT)
            self.index.train(_spread(passages, rows))
            for begin in range(0, len(passages), rows):
                self.index.add(passages.read(begin, min(begin + rows, len(passages))))
        with _faiss_says(f"--index-parameters {parameters}"):
            if parameters:
                faiss.ParameterSpace().set_index_parameters(self.index, parameters)

    def search(
        self, queries: np.ndarray, depth: int, progress=None
    ) -> Iterator[list[tuple[str, float]]]:
        """Yields the (passage_id, score) of what the index finds for each query: fewer where it finds fewer."""
        for begin in range(0, len(queries), QUERIES_AT_ONCE):
            scores, places = self.index.search(
                queries[begin : begin + QUERIES_AT_ONCE], min(depth, len(self.passages))
            )
            for row_scores, row_places in zip(scores, places):
                there = row_places >= 0
                ids = self.passages.ids[row_places[there]].tolist()
                yield [
                    (passage_id.decode(), score)
                    for passage_id, score in zip(ids, row_scores[there].tolist())
                ]
        if progress is not None:
            progress.update(len(self.passages))


def overlap(
    approximate: ApproximateSearch, exact: ExactSearch, queries: np.ndarray, depth: int
) -> float:
    """Returns the share of the exact best passages of evenly spread queries that the approximate search finds, too."""
    some = queries[np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries))).astype(int)]
    pairs = [
        ({passage_id for passage_id, _ in found}, {passage_id for passage_id, _ in best})
        for found, best in zip(approximate.search(some, depth), exact.search(some, depth))
    ]
    return sum(len(found & best) for found, best in pairs) / sum(len(best) for _, best in pairs)


def _spread(passages: VectorStore, rows: int) -> np.ndarray:
    """Returns some `rows` vectors from all over the store, in at most 64 pieces."""
    pieces = min(64, rows)
    begins = np.linspace(0, len(passages) - rows // pieces, pieces).astype(int)
    return np.concatenate(
        [passages.read(begin, begin + rows // pieces) for begin in begins.tolist()]
    )


@contextmanager
def _faiss_says(what: str):
    """Turns what faiss raises into one line."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError) as error:
        message = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            f"{what}: expected an index for these vectors, got from faiss: {message[-1]}"
        ) from error
