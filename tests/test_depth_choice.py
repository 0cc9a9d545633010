"""The depth of scoring is the smallest one that holds what training rows need, by hand."""

import pytest

from rocketqa.data_augmentation import PseudoLabelSettings, pseudo_labelled_examples
from rocketqa.denoised_hard_negatives import HardNegativeSettings, hard_negatives
from rocketqa.evaluation.depth_choice import DepthChoice, Need, rank_with_enough
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage
from rocketqa.jobs.seeds import generator

ONE_NEGATIVE = Need(1, 0.1, None)
PSEUDO_LABEL = Need(1, 0.1, 0.9)


def rank_of(values: list[float], need: Need, positives: str = "") -> int | None:
    """Returns the rank of a query whose passages a, b, c ... have these scores, by rank."""
    names = "abcdefghijklmnopqrstuvwxyz"
    ranking = [ScoredPassage("q", name, rank, -rank) for rank, name in enumerate(names, 1)]
    scores = {("q", name): value for name, value in zip(names, values)}
    return rank_with_enough("q", ranking[: len(values)], scores, positives, need)


@pytest.mark.parametrize(
    "values, positives, need, rank",
    [
        ([0.9, 0.5, 0.09, 0.01], "", ONE_NEGATIVE, 3),
        ([0.9, 0.5, 0.1], "", ONE_NEGATIVE, None),  # a score on the threshold is not below it
        ([0.01, 0.5, 0.02], "a", ONE_NEGATIVE, 3),  # a labelled passage is no negative
        ([0.01, 0.5, 0.02, 0.03], "x", Need(2, 0.1, None), 3),
        ([0.5, 0.01, 0.02, 0.5, 0.03, 0.04], "ad", Need(2, 0.1, None), 6),  # two for each label
        ([0.01, 0.5, 0.95, 0.02], "", PSEUDO_LABEL, 3),
        ([0.95, 0.5, 0.02], "", PSEUDO_LABEL, 3),
        ([0.9, 0.02], "", PSEUDO_LABEL, None),  # 0.9 is not above 0.9
        ([0.95, 0.5], "", PSEUDO_LABEL, None),
        ([0.3, 0.5, 0.4], "", Need(1, 0.6, 0.01), 2),  # the best one is the positive
    ],
)
def test_a_query_has_enough_at_the_rank_of_the_last_passage_that_it_needs(
    values, positives, need, rank
):
    assert rank_of(values, need, positives) == rank


def test_from_that_rank_on_the_training_rows_stay_the_same_and_before_it_there_are_fewer():
    random = generator(1, "depths")
    for number in range(60):
        values = random.choice([0.01, 0.05, 0.5, 0.95], 12).tolist()
        names = [f"p{rank}" for rank in range(1, 13)]
        ranking = [ScoredPassage("q", name, rank, -rank) for rank, name in enumerate(names, 1)]
        scores = {("q", name): value for name, value in zip(names, values)}
        positives = [names[number % 12]]
        enough = rank_with_enough("q", ranking, scores, positives, Need(3, 0.1, None))

        def negatives(depth: int) -> list[str]:
            settings = HardNegativeSettings(depth, 0.1, "rank", 0, 1)
            return hard_negatives("q", ranking, positives, scores, 3, settings)  # noqa: B023

        if enough is not None:
            assert negatives(enough) == negatives(12) and len(negatives(enough - 1)) == 2
        labelled = rank_with_enough("q", ranking, scores, (), Need(2, 0.1, 0.9))

        def rows(depth: int) -> int:
            settings = PseudoLabelSettings(depth, 0.9, 0.1, rows=2, negatives_per_row=1)
            return len(pseudo_labelled_examples("q", ranking, scores, settings))  # noqa: B023

        if labelled is not None:
            assert rows(labelled) == 2 and rows(labelled - 1) < 2
        else:
            assert rows(12) < 2


def test_a_passage_without_a_score_is_refused():
    ranking = [ScoredPassage("q", "a", 1, 1.0)]
    with pytest.raises(DataError, match="expected a score of query q and passage a"):
        rank_with_enough("q", ranking, {}, (), ONE_NEGATIVE)


def test_the_smallest_depth_that_serves_95_percent_of_the_served_queries_is_chosen():
    # 40 of 50 queries have enough at some depth; 38 of them, 95 %, at depth 4.
    choice = DepthChoice([1] * 20 + [4] * 18 + [9, 10], 50, 10, ONE_NEGATIVE)
    assert choice.chosen == 4
    assert choice._replace(ranks=[1] * 20 + [4] * 17 + [9, 9, 10]).chosen == 9
    head, *rows = choice.table()
    assert head == ["depth", "queries_with_enough", "share_of_drawn", "chosen"]
    assert rows[0] == [1, 20, 0.4, "no"]
    assert rows[3] == [4, 38, 0.76, "yes"]
    assert rows[9] == [10, 40, 0.8, "no"]
    assert len(rows) == 10
    assert choice.line() == (
        "40 of 50 drawn queries have 1 negative (below 0.1) among their first 10 passages, "
        "38 of these among their first 4, so 4 ranks are scored"
    )


def test_too_few_queries_choose_nothing():
    choice = DepthChoice([1] * 19, 200, 10, PSEUDO_LABEL)
    assert choice.chosen == 10
    assert choice._replace(ranks=[1] * 20).chosen == 1
    assert choice.line() == (
        "19 of 200 drawn queries have a positive (above 0.9) and 1 negative (below 0.1) "
        "among their first 10 passages, fewer than 20, so all 10 ranks are scored"
    )
