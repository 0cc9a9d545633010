"""Search among candidates: an engine finds them, and our exact scores rank them.

An engine is whatever says quickly which passages may be among the best, such as an index of faiss
that is kept on disk. Its own scores are not used. It is asked for more candidates than are wanted,
and these get exact scores (see exact_scores.py), so the answers are those of exact search as far as
they were among the candidates.

Letters: Q queries, H vector size, K depth, C candidates of each query.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy import ndarray, uint32
from tqdm import tqdm

from rocketqa.search.exact_scores import Block, candidate_scores, norms_of
from rocketqa.search.exact_search import QUERIES_AT_ONCE, SPARE_CANDIDATES, Scored
from rocketqa.search.vectors import VectorStore

CANDIDATES_OF_EACH = 2  # candidates for each passage that is wanted, besides SPARE_CANDIDATES


class Search(Protocol):
    """Whatever finds the best passages of queries: exactly, or nearly so."""

    passages: VectorStore

    def search(
        self,
        queries: ndarray,
        depth: int,
        progress: tqdm | None = None,
    ) -> Iterator[list[Scored]]:
        """Yields the best passages of each query, by rank, for queries float32 [Q, H]."""


class Candidates(Protocol):
    """An engine that finds candidates."""

    def find(self, queries: ndarray, count: int) -> ndarray:
        """Returns the rows of the candidates of each query, int64 [Q, C], in any order.

        queries: float32 [Q, H]. count: C. A row is that of the store of passages; -1 stands where
        the engine has found fewer.
        """


class CandidateSearch:
    """Ranks by exact scores what an engine finds."""

    def __init__(self, passages: VectorStore, candidates: Candidates):
        self.passages = passages
        self.candidates = candidates

    def search(
        self,
        queries: ndarray,
        depth: int,
        progress: tqdm | None = None,
    ) -> Iterator[list[Scored]]:
        """Yields the best candidates of each query, by rank, at most `depth`."""
        wanted = CANDIDATES_OF_EACH * depth + SPARE_CANDIDATES
        count = min(wanted, len(self.passages))
        for begin in range(0, len(queries), QUERIES_AT_ONCE):
            some_queries = queries[begin : begin + QUERIES_AT_ONCE]
            rows_by_query = self.candidates.find(some_queries, count)  # [Q, C]
            for query, rows in zip(some_queries, rows_by_query):
                yield self._ranking(query, rows[rows >= 0], depth)
        if progress is not None:
            progress.update(len(self.passages))

    def _ranking(self, query: ndarray, rows: ndarray, depth: int) -> list[Scored]:
        """Returns the best of the passages in some rows, by (score descending, id ascending)."""
        vectors = self.passages.at(rows)  # [C, H]
        orders = np.empty(0, uint32)  # of ids, which are compared themselves
        block = Block(vectors, norms_of(vectors), orders)
        every_row = np.arange(len(rows))[None]  # [1, C]
        every_pair = np.ones((1, len(rows)), bool)
        scores = candidate_scores(query[None], block, every_row, every_pair)[0]  # [C]
        ids = self.passages.ids.at(rows)
        ranking = sorted(zip(ids, scores.tolist()), key=_place)
        return ranking[:depth]


def _place(scored: Scored) -> tuple[float, str]:
    """Returns what sorts as the ranks do."""
    passage_id, score = scored
    return -score, passage_id
