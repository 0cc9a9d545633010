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
    score: float  # P(relevant) where a cross encoder ranks the passages, else fused, or of vectors
    vector_score: float | None = None  # with BM25: the inner product; None: not among its best
    bm25_score: float | None = None  # with BM25: its score; None: not among its best


# What a score is, by whether a cross encoder re-ranks the passages.
SCORE_UNITS = {False: "dot product", True: "probability of relevance"}
SCORE_MEANINGS = {
    False: "The score is the dot product of the vectors of query and passage: a higher one means a "
    "better match, and there is no largest value.",
    True: "The score is the probability, from 0 to 1, that the passage is relevant to the query.",
}

# What a score is where BM25 and vectors answer together.
FUSED_UNIT = "fused score"
FUSED_MEANING = (
    "The score, from 0 to 1, is made of those of the vectors and of BM25, which follow it; a dash "
    "stands for one that did not find the passage."
)

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


def refuse_without_cross_encoder(rerank_depth: int | None, cross_encoder: Path | None) -> None:
    """Raises DataError where a depth of re-ranking is given, but nothing that re-ranks."""
    if rerank_depth is not None and cross_encoder is None:
        raise DataError(
            f"--rerank-depth {rerank_depth}: expected --cross-encoder DIR, which re-ranks, got none"
        )


def shown_parts(answer: Answer) -> str:
    """Returns the scores of vectors and BM25 in words."""
    parts = (answer.vector_score, answer.bm25_score)
    vectors, bm25 = ("-" if part is None else f"{part:.6g}" for part in parts)
    return f"vectors {vectors}, BM25 {bm25}"


def ranked_answers(passages: Sequence[Passage], scores: Sequence[float]) -> list[Answer]:
    """Returns passages as answers, ordered by (score descending, passage id ascending)."""
    answers = [
        Answer(passage.passage_id, passage.title, passage.text, score)
        for passage, score in zip(passages, scores)
    ]
    return sorted(answers, key=lambda answer: (-answer.score, answer.passage_id))
