"""Several rankings of a query in a search become one (`fusion.py`).

BM25 finds passages beside the vectors, and the cross encoder re-ranks beside what has found them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rocketqa.search.answer import Answer
from rocketqa.search.bm25_index import Bm25Index
from rocketqa.search.fusion import Scored, fuse

BM25_WEIGHT = 0.5  # the vectors have the rest


class Parts(NamedTuple):
    """The scores that were fused, by passage_id. relevance: P(relevant), if it is one of them."""

    vectors: Mapping[str, float]
    bm25: Mapping[str, float]
    relevance: Mapping[str, float]


class Words:
    """Adds what BM25 finds to what the vectors find, by the rule of `rocketqa fuse`.

    weight: that of BM25, 0 to 1; None: BM25_WEIGHT.
    """

    def __init__(self, index: Bm25Index, weight: float | None = None):
        self.index = index
        bm25 = BM25_WEIGHT if weight is None else weight
        self.weights = (bm25, _rest(bm25))

    def fused(
        self, query: str, of_vectors: Sequence[Scored], depth: int
    ) -> tuple[list[Scored], Parts]:
        """Returns the fused ranking of a query, and the scores that it is made of.

        of_vectors: the ranking by vectors, of this depth at most.
        """
        of_words = self.index.search(query, depth)
        fused = fuse([of_words, of_vectors], self.weights)
        return fused[:depth], Parts(dict(of_vectors), dict(of_words), {})


def weighed(
    weight: float, ranking: Sequence[Scored], relevances: Sequence[float], parts: Parts | None
) -> tuple[list[float], Parts]:
    """Returns the scores of re-ranked passages, in their order, and what they are made of.

    weight: that of the cross encoder; what has retrieved the passages, `ranking`, has the rest.
    relevances: P(relevant) of each passage. parts: of the scores in `ranking`; None: of vectors.
    """
    relevance = dict(zip((passage_id for passage_id, _ in ranking), relevances))
    by_relevance = sorted(relevance.items(), key=lambda scored: (-scored[1], scored[0]))
    score_of = dict(fuse([ranking, by_relevance], (_rest(weight), weight)))
    parts = Parts(dict(ranking), {}, {}) if parts is None else parts
    scores = [score_of[passage_id] for passage_id, _ in ranking]
    return scores, parts._replace(relevance=relevance)


def _rest(weight: float) -> float:
    """Returns the weight of the other one of two, as the tenths of `rocketqa fuse` are written."""
    return round(1 - weight, 9)


def with_parts(answers: Iterable[Answer], parts: Parts) -> list[Answer]:
    """Returns answers with the parts of their scores."""
    shown = []
    for answer in answers:
        vectors, bm25, relevance = (scores.get(answer.passage_id) for scores in parts)
        shown.append(answer._replace(vector_score=vectors, bm25_score=bm25, relevance=relevance))
    return shown
