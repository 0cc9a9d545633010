"""Denoised hard negatives (section 3.3.2).

A hard negative of a query is a passage that the retriever ranks high although it is not relevant.
Most of the top-ranked passages have no label, and about 70 % of these are in fact relevant (section
4.2.2): they would be false negatives. The cross encoder removes them. An unlabelled passage becomes
a hard negative only if the cross encoder is confident that it is not relevant.

    query and its top passages by the retriever                        ranking
      -> without the labelled positives                                unlabelled_passages
      -> only those that the cross encoder scores below a threshold    confident_negatives
      -> training rows of the dual or the cross encoder                dual_examples, cross_examples

Words: `ranking` is the list of retrieved passages of one query, with ranks from 1. `positives` are
the ids of its known relevant passages. P(relevant) is the probability of relevance that the cross
encoder gives to a query and a passage.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from rocketqa.files.errors import DataError
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import generator

Scores = Mapping[tuple[str, str], float]  # (query_id, passage_id) -> P(relevant)
Item = TypeVar("Item")


class HardNegativeSettings(NamedTuple):
    """How hard negatives are chosen among the retrieved passages of a query."""

    depth: int  # the candidates are the unlabelled passages at ranks 1 to `depth`
    max_negative: float  # a candidate is a negative if its P(relevant) is below this
    order: str  # "rank": the candidates with the best ranks; "random": any of them
    fill_depth: int  # missing negatives come from the ranks after `depth` up to this one; 0: never
    seed: int


def hard_negatives(
    query_id: str,
    ranking: Sequence[ScoredPassage],
    positives: Collection[str],
    scores: Scores | None,
    count: int,
    settings: HardNegativeSettings,
) -> list[str]:
    """Returns the ids of up to `count` hard negatives of a query.

    They are denoised unless `scores` is None; those that are filled up from deeper ranks never are.
    Raises DataError if a candidate has no score.
    """
    candidates = unlabelled_passages(ranking, positives, settings.depth)
    if scores is not None:
        candidates = confident_negatives(query_id, candidates, scores, settings.max_negative)
    if settings.order == "random":
        candidates = draw(query_id, candidates, count, settings.seed, "sample")
    negatives = candidates[:count]
    if settings.fill_depth:
        deeper = [scored for scored in ranking if scored.rank > settings.depth]
        deeper_ids = unlabelled_passages(deeper, positives, settings.fill_depth)
        negatives = fill_up(query_id, negatives, deeper_ids, count, settings.seed)
    return negatives


def unlabelled_passages(
    ranking: Iterable[ScoredPassage], positives: Collection[str], depth: int
) -> list[str]:
    """Returns the ids of the top `depth` passages without the positives, in their order."""
    top = [scored for scored in ranking if scored.rank <= depth]
    return [scored.passage_id for scored in top if scored.passage_id not in positives]


def confident_negatives(
    query_id: str, candidates: Iterable[str], scores: Scores, max_negative: float
) -> list[str]:
    """Returns the candidates whose P(relevant) is below `max_negative`, in their order.

    Scores are found by query id and passage id. Raises DataError if a candidate has none.
    """
    return [
        passage_id
        for passage_id in candidates
        if score_of(scores, query_id, passage_id) < max_negative
    ]


def score_of(scores: Scores, query_id: str, passage_id: str) -> float:
    """Returns P(relevant) of a query and a passage. Raises DataError if there is no such score."""
    score = scores.get((query_id, passage_id))
    if score is None:
        raise DataError(
            f"--scores: expected a score of query {query_id} and passage {passage_id}, got none: "
            "score this --run, at least as deep"
        )
    return score


def fill_up(
    query_id: str, negatives: list[str], deeper: Sequence[str], count: int, seed: int
) -> list[str]:
    """Returns the negatives, filled up to `count` with random passages of deeper ranks.

    # Official code: MS MARCO's script takes them from ranks 51 to 1,000 without denoising.
    """
    missing = max(0, count - len(negatives))
    return negatives + draw(query_id, deeper, missing, seed, "fill")


def draw(
    query_id: str, candidates: Sequence[Item], count: int, seed: int, purpose: str
) -> list[Item]:
    """Returns `count` random candidates without repetition.

    If there are not more than `count`, all of them are returned in their order. The draw depends on
    the seed, the purpose and the query, and not on the other queries of a file.
    """
    if count >= len(candidates):
        return list(candidates)
    places = generator(seed, purpose, query_id).choice(len(candidates), count, replace=False)
    return [candidates[place] for place in places]


def dual_examples(
    query_id: str,
    positives: Sequence[str],
    negatives: Sequence[str],
    rows_per_positive: int,
    negatives_per_row: int,
) -> Iterator[TrainingExample]:
    """Yields the training rows of one query for the dual encoder.

    Each positive gets up to `rows_per_positive` rows of `negatives_per_row` negatives. A negative
    is used in one row only: fewer negatives give fewer rows, and a row that cannot be completed is
    left out.

    # Official code: the paper's "1 : 4" (positives to hard negatives) is four rows with one each.
    """
    last_start = len(negatives) - negatives_per_row
    starts = range(0, last_start + 1, negatives_per_row)
    groups = [tuple(negatives[start : start + negatives_per_row]) for start in starts]
    for number, positive_id in enumerate(positives):
        first = number * rows_per_positive
        for group in groups[first : first + rows_per_positive]:
            yield TrainingExample(query_id, positive_id, group)


def cross_examples(
    query_id: str, positives: Sequence[str], negatives: Sequence[str]
) -> Iterator[LabelledPair]:
    """Yields the training rows of one query for the cross encoder, first those of the positives."""
    for passage_id in positives:
        yield LabelledPair(query_id, passage_id, 1)
    for passage_id in negatives:
        yield LabelledPair(query_id, passage_id, 0)
