"""The overlap of what an index finds with exact search, measured once, when the index is made."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.search.approximate_search import overlap
from rocketqa.search.candidates import Candidates, CandidateSearch
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.kept_index import measuring_sample
from rocketqa.search.vectors import VectorStore, check_same_size

OVERLAP_DEPTH = 100  # passages of a query, as many as the service shows at most


class MeasuredOverlap(NamedTuple):
    """The share of the exact best OVERLAP_DEPTH passages that an index finds.

    queries: how many measured it. kind: what they are, queries or passages.
    """

    share: float
    queries: int
    kind: str

    def __str__(self) -> str:
        found = f"finds {self.share:.4f} of the exact best {OVERLAP_DEPTH}"
        return f"{found} of {self.queries} {self.kind}"


class VectorsToIndex:
    """The vectors that get an index, in `passages`, and those that measure it.

    query_vectors: None: passages stand for queries. max_memory: bytes of passage vectors in memory
    at a time. Raises DataError where the sizes of the vectors differ, or a passage is there twice.
    """

    def __init__(
        self, passage_vectors: Sequence[Path], query_vectors: Path | None, max_memory: int
    ):
        self.passages = VectorStore(passage_vectors)
        self._queries = self.passages
        self._kind = "passages"
        if query_vectors is not None:
            self._queries = VectorStore([query_vectors])
            self._kind = "queries"
        check_same_size(self._queries, self.passages)
        self._exact = ExactSearch(self.passages, max_memory)

    def overlap_of(self, engine: Candidates, seed: int) -> MeasuredOverlap:
        """Returns how well an engine finds the passages; seed: draws the queries."""
        search = CandidateSearch(self.passages, engine)
        sample = measuring_sample(self._queries, seed)
        share = overlap(search, self._exact, sample, OVERLAP_DEPTH)
        return MeasuredOverlap(share, len(sample), self._kind)
