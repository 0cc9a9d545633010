"""Answers to a query: passages with their scores."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage


class Answer(NamedTuple):
    """A passage that answers a query."""

    passage_id: str
    title: str
    text: str
    score: float  # see ScoreKind
    vector_score: float | None = None  # the inner product; None: not among its best
    bm25_score: float | None = None  # None: not among its best
    relevance: float | None = None  # P(relevant), where it is a part of the score


PARTS = {"vector_score": "vectors", "bm25_score": "BM25", "relevance": "relevance"}  # as shown

OF_VECTORS = (
    "The score is the dot product of the vectors of query and passage: a higher one means a better "
    "match, and there is no largest value."
)
OF_RELEVANCE = (
    "The score is the probability, from 0 to 1, that the passage is relevant to the query."
)
OF_PARTS = "The score, from 0 to 1, is made of those that follow it."
WITH_BM25 = " A dash stands for one that did not find the passage."
WITH_RELEVANCE = (
    " Relevance is the probability, from 0 to 1, that the passage is relevant to the query."
)


class ScoreKind(NamedTuple):
    """What the scores of answers are.

    reranks: a cross encoder ranks the passages. fuses: BM25 and the vectors find them together.
    weighs: what has found the passages counts beside the cross encoder.
    """

    reranks: bool = False
    fuses: bool = False
    weighs: bool = False

    @property
    def parts(self) -> list[str]:
        """The fields of an answer that are shown beside its score."""
        shown = {
            "vector_score": self.fuses or self.weighs,
            "bm25_score": self.fuses,
            "relevance": self.weighs,
        }
        return [field for field in PARTS if shown[field]]

    @property
    def unit(self) -> str:
        """The name of a score."""
        if self.reranks and not self.weighs:
            return "probability of relevance"
        return "fused score" if self.parts else "dot product"

    @property
    def meaning(self) -> str:
        """What a score says, in a sentence or two."""
        if self.weighs or (self.fuses and not self.reranks):
            return OF_PARTS + WITH_BM25 * self.fuses + WITH_RELEVANCE * self.weighs
        return OF_RELEVANCE if self.reranks else OF_VECTORS


# Passages that a cross encoder re-ranks unless told otherwise: RERANK_DEPTH of the env files of the
# paper's experiments.
RERANK_DEPTH = 50

FIRST_QUERY = "-"  # which the service asks itself, to be ready and to see whether it can answer

AnswerQuery = Callable[[str, int], Sequence[Answer]]  # (query, depth) -> answers, the best first


def depth_to_retrieve(depth: int, rerank_depth: int | None) -> int:
    """Returns how many passages are retrieved for a cross encoder that shows the best `depth`.

    rerank_depth: as it was given; None: RERANK_DEPTH, or `depth` where that is more. Raises
    DataError where it is below `depth`: the answers behind it would not have been re-ranked.
    """
    if rerank_depth is None:
        return max(RERANK_DEPTH, depth)
    if rerank_depth < depth:
        raise DataError(f"--rerank-depth: expected at least --depth {depth}, got {rerank_depth}")
    return rerank_depth


def refuse_without_cross_encoder(
    cross_encoder: Path | None, rerank_depth: int | None, weight: float | None
) -> None:
    """Raises DataError where a depth or a weight of re-ranking is given, but nothing re-ranks."""
    given = {"--rerank-depth": rerank_depth, "--cross-encoder-weight": weight}
    for flag, value in given.items():
        if value is not None and cross_encoder is None:
            raise DataError(
                f"{flag} {value}: expected --cross-encoder DIR, which re-ranks, got none"
            )


def shown_parts(answer: Answer, kind: ScoreKind) -> str:
    """Returns the parts of a score in words: vectors 0.71, BM25 -."""
    shown = []
    for field in kind.parts:
        part = getattr(answer, field)
        shown.append(f"{PARTS[field]} {'-' if part is None else f'{part:.6g}'}")
    return ", ".join(shown)


def ranked_answers(passages: Sequence[Passage], scores: Sequence[float]) -> list[Answer]:
    """Returns passages as answers, ordered by (score descending, passage id ascending)."""
    answers = [
        Answer(passage.passage_id, passage.title, passage.text, score)
        for passage, score in zip(passages, scores)
    ]
    return sorted(answers, key=lambda answer: (-answer.score, answer.passage_id))
