"""Exact maximum inner product search (the paper's IndexFlatIP) over shards of vectors, one shard in memory at a time.

A directory of vectors holds, for each shard, `vectors.NNNNN.npy` (float32 [n, H]) and `vectors.NNNNN.ids`.
"""
import os
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np

from rocketqa.progress import bar
from rocketqa.rows import DataError
from rocketqa.runs import ScoredPassage, ranked

QUERY_BLOCK = 2048


def shard_paths(directory: Path, shard: int) -> tuple[Path, Path]:
    """Returns the paths of a shard's vectors and ids."""
    stem = f"vectors.{shard:05}"
    return directory / f"{stem}.npy", directory / f"{stem}.ids"


def iterate_shards(directory: Path) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yields (ids, vectors [n, H], memory-mapped) of each shard. Raises DataError where ids and rows differ."""
    files = sorted(directory.glob("vectors.*.npy"))
    if not files:
        raise DataError(f"{directory}: expected vectors, got none")
    for file in files:
        ids = file.with_suffix(".ids").read_text(encoding="utf-8").splitlines()
        vectors = np.load(file, mmap_mode="r")
        if len(ids) != len(vectors):
            raise DataError(f"{file}: expected a vector for each of {len(ids)} ids, got {len(vectors)}")
        yield ids, vectors


def search(query_vectors: Path, passage_vectors: Path, depth: int) -> Iterator[list[ScoredPassage]]:
    """Yields each query's `depth` best passages, by (score descending, passage id ascending).

    Fewer passages than `depth` give fewer rows. Raises DataError on vectors of unequal size.
    """
    faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    for query_ids, queries in iterate_shards(query_vectors):
        for begin in bar(range(0, len(query_ids), QUERY_BLOCK), unit="block", desc="retrieve"):
            block = slice(begin, begin + QUERY_BLOCK)
            yield from _search_block(query_ids[block], np.ascontiguousarray(queries[block]), passage_vectors, depth)


def _search_block(query_ids, queries, passage_vectors: Path, depth: int) -> list[list[ScoredPassage]]:
    best: list[list[tuple[str, float]]] = [[] for _ in query_ids]
    for passage_ids, passages in iterate_shards(passage_vectors):
        if passages.shape[1] != queries.shape[1]:
            raise DataError(f"{passage_vectors}: expected vectors of size {queries.shape[1]}, got {passages.shape[1]}")
        index = faiss.IndexFlatIP(passages.shape[1])
        index.add(np.ascontiguousarray(passages))
        scores, places = index.search(queries, min(depth, len(passage_ids)))
        for found, row_scores, row_places in zip(best, scores.tolist(), places.tolist()):
            found.extend((passage_ids[place], score) for place, score in zip(row_places, row_scores))
    return [ranked(query_id, found)[:depth] for query_id, found in zip(query_ids, best)]
