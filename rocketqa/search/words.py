"""BM25 beside the vectors in a search: their rankings of a query become one (`fusion.py`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rocketqa.search.answer import Answer
from rocketqa.search.bm25_index import Bm25Index
from rocketqa.search.fusion import Scored, fuse

BM25_WEIGHT = 0.5  # the vectors have the rest


class Parts(NamedTuple):
    """The scores that were fused, by passage_id."""

    vectors: Mapping[str, float]
    bm25: Mapping[str, float]


class Words:
    """Adds what BM25 finds to what the vectors find, by the rule of `rocketqa fuse`.

    weight: that of BM25, 0 to 1; None: BM25_WEIGHT.
    """

    def __init__(self, index: Bm25Index, weight: float | None = None):
        self.index = index
        bm25 = BM25_WEIGHT if weight is None else weight
        self.weights = (bm25, round(1 - bm25, 9))  # as the tenths of `fuse` are written

    def fused(
        self, query: str, of_vectors: Sequence[Scored], depth: int
    ) -> tuple[list[Scored], Parts]:
        """Returns the fused ranking of a query, and the scores that it is made of.

        of_vectors: the ranking by vectors, of this depth at most.
        """
        of_words = self.index.search(query, depth)
        fused = fuse([of_words, of_vectors], self.weights)
        return fused[:depth], Parts(dict(of_vectors), dict(of_words))


def with_parts(answers: Iterable[Answer], parts: Parts) -> list[Answer]:
    """Returns answers with the scores of vectors and BM25."""
    shown = []
    for answer in answers:
        vector_score = parts.vectors.get(answer.passage_id)
        bm25_score = parts.bm25.get(answer.passage_id)
        shown.append(answer._replace(vector_score=vector_score, bm25_score=bm25_score))
    return shown
