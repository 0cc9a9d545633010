"""Denoised hard negatives (section 3.3.2): of the retriever's top passages, only those that the cross encoder rejects.

About 70 % of the top-ranked passages that nobody labelled are relevant in truth (section 4.2.2), so what a retriever
finds is no negative until the cross encoder says so with confidence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from rocketqa.files.answers import has_answer_string
from rocketqa.files.errors import DataError
from rocketqa.files.formats import LabelledPair, Passage, TrainingExample
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import generator

Scores = dict[tuple[str, str], float]  # (query_id, passage_id) -> P(relevant)


def with_answer(
    ranking: Iterable[ScoredPassage], passages: Mapping[str, Passage], answers: Sequence[str]
) -> set[str]:
    """Returns the passages whose text or title holds an answer.

    # Official code: Natural Questions' positives and negatives are told by the answer, not by the labels.
    """
    found = (passages[scored.passage_id] for scored in ranking)
    return {
        passage.passage_id
        for passage in found
        if has_answer_string(passage.text, answers) or has_answer_string(passage.title, answers)
    }


def in_order(ids: Iterable[str]) -> list[str]:
    """Returns ids so that no file's order shows: by length, then by sign, so that numbers stand as numbers."""
    return sorted(sorted(ids), key=len)


def unlabelled(
    ranking: Iterable[ScoredPassage], positives: Collection[str], depth: int
) -> list[str]:
    """Returns the passages among the top `depth` that are no positive, by rank."""
    return [
        scored.passage_id
        for scored in ranking
        if scored.rank <= depth and scored.passage_id not in positives
    ]


def rejected(
    query_id: str, candidates: Iterable[str], scores: Scores, max_score: float
) -> list[str]:
    """Returns the candidates whose P(relevant) is below `max_score`, in their order.

    Scores are joined by ids. Raises DataError where one is missing.
    """
    return [
        passage_id
        for passage_id in candidates
        if score_of(scores, query_id, passage_id) < max_score
    ]


def score_of(scores: Scores, query_id: str, passage_id: str) -> float:
    """Returns P(relevant). Raises DataError where the cross encoder has not read the pair."""
    if (query_id, passage_id) not in scores:
        raise DataError(
            f"scores: expected one of query {query_id} with passage {passage_id}, got none"
        )
    return scores[query_id, passage_id]


def filled(
    query_id: str, negatives: list[str], deeper: Sequence[str], count: int, seed: int
) -> list[str]:
    """Returns the negatives, filled up to `count` with random ones of `deeper`.

    # Official code: MS MARCO's script fills up from ranks 51 to 1,000 without asking the cross encoder.
    """
    return negatives + drawn(query_id, deeper, max(0, count - len(negatives)), seed, "fill")


def drawn(
    query_id: str, candidates: Sequence[str], count: int, seed: int, purpose: str
) -> list[str]:
    """Returns `count` random candidates (all, where there are fewer), each once: the same whatever the file's order."""
    if count >= len(candidates):
        return list(candidates)
    places = generator(seed, purpose, query_id).choice(len(candidates), count, replace=False)
    return [candidates[place] for place in places]


def random_passages(
    query_id: str, passage_ids: Sequence[str], positives: Collection[str], count: int, seed: int
) -> list[str]:
    """Returns `count` random passages of the collection that are no positives (step 1 of the released code)."""
    drawing = generator(seed, "random passages", query_id)
    chosen: list[str] = []
    if len(passage_ids) < 2 * (count + len(positives)):  # too few to draw blindly
        others = [passage_id for passage_id in passage_ids if passage_id not in positives]
        return drawn(query_id, others, count, seed, "random passages")
    while len(chosen) < count:
        passage_id = passage_ids[int(drawing.integers(len(passage_ids)))]
        if passage_id not in positives and passage_id not in chosen:
            chosen.append(passage_id)
    return chosen


def dual_examples(
    query_id: str,
    positives: Sequence[str],
    negatives: Sequence[str],
    rows_per_positive: int,
    negatives_per_row: int,
) -> Iterator[TrainingExample]:
    """Yields up to `rows_per_positive` rows for each positive, each with `negatives_per_row` negatives of their own.

    # Official code: the paper's "1 : 4" is four rows with one negative each. Fewer negatives give fewer rows.
    """
    groups = np.arange(len(negatives) // negatives_per_row * negatives_per_row).reshape(
        -1, negatives_per_row
    )
    for place, positive_id in enumerate(positives):
        for group in groups[place * rows_per_positive : (place + 1) * rows_per_positive]:
            yield TrainingExample(query_id, positive_id, tuple(negatives[i] for i in group))


def cross_examples(
    query_id: str, positives: Sequence[str], negatives: Sequence[str]
) -> Iterator[LabelledPair]:
    """Yields the pairs that the cross encoder learns from."""
    yield from (LabelledPair(query_id, passage_id, 1) for passage_id in positives)
    yield from (LabelledPair(query_id, passage_id, 0) for passage_id in negatives)
