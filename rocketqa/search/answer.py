"""Answers to a query: passages with their scores."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rocketqa.files.formats import Passage


class Answer(NamedTuple):
    """A passage that answers a query."""

    passage_id: str
    title: str
    text: str
    score: float  # P(relevant) where a cross encoder ranks the passages, else the inner product


# What a score is, by whether a cross encoder re-ranks the passages.
SCORE_UNITS = {False: "dot product", True: "probability of relevance"}
SCORE_MEANINGS = {
    False: "The score is the dot product of the vectors of query and passage: a higher one means a "
    "better match, and there is no largest value.",
    True: "The score is the probability, from 0 to 1, that the passage is relevant to the query.",
}

FIRST_QUERY = "-"  # which the service asks itself, to be ready and to see whether it can answer

AnswerQuery = Callable[[str, int], Sequence[Answer]]  # (query, depth) -> answers, the best first


def ranked_answers(passages: Sequence[Passage], scores: Sequence[float]) -> list[Answer]:
    """Returns passages as answers, ordered by (score descending, passage id ascending)."""
    answers = [
        Answer(passage.passage_id, passage.title, passage.text, score)
        for passage, score in zip(passages, scores)
    ]
    return sorted(answers, key=lambda answer: (-answer.score, answer.passage_id))
