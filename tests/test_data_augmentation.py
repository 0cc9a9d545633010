"""Only what the cross encoder decides with confidence becomes a pseudo-label (section 3.3.3)."""

import pytest

from rocketqa.data_augmentation import (
    PseudoLabelSettings,
    confident_positive,
    pseudo_label,
    pseudo_labelled_examples,
)
from rocketqa.files.errors import DataError
from rocketqa.files.runs import RunFile, ScoredPassage

SETTINGS = PseudoLabelSettings(
    depth=50, min_positive=0.9, max_negative=0.1, rows=4, negatives_per_row=1
)


def ranking_of(query_id: str, passage_ids: str) -> list[ScoredPassage]:
    """Returns a ranking of passages in the given order."""
    return [
        ScoredPassage(query_id, passage_id, rank, 1 / rank)
        for rank, passage_id in enumerate(passage_ids.split(), 1)
    ]


def test_equal_best_scores_go_to_the_better_rank_wherever_the_scores_stand():
    scores = {("q", "c"): 0.95, ("q", "b"): 0.95, ("q", "a"): 0.94, ("q", "n"): 0.0}
    settings = SETTINGS._replace(depth=4)
    examples = pseudo_labelled_examples("q", ranking_of("q", "a b n c"), scores, settings)
    assert examples == [("q", "b", ("n",))]


@pytest.mark.parametrize(
    "best, negative, rows", [(0.9001, 0.0999, 1), (0.9, 0.0999, 0), (0.9001, 0.1, 0), (0.3, 0.0, 0)]
)
def test_only_confident_labels_are_kept(best, negative, rows):
    scores = {("q", "a"): best, ("q", "b"): negative, ("q", "c"): 0.5}
    examples = pseudo_labelled_examples("q", ranking_of("q", "c b a"), scores, SETTINGS)
    assert len(examples) == rows


def test_a_positive_that_would_be_a_negative_too_is_a_positive():
    scores = {("q", "a"): 0.3, ("q", "b"): 0.2}
    settings = SETTINGS._replace(min_positive=0.1, max_negative=0.5)
    examples = pseudo_labelled_examples("q", ranking_of("q", "a b"), scores, settings)
    assert examples == [("q", "a", ("b",))]


def test_a_query_without_retrieved_passages_gives_no_row():
    assert pseudo_labelled_examples("q", [], {}, SETTINGS) == []
    assert confident_positive("q", [], {}, 0.0) is None


def test_a_passage_without_a_score_is_refused():
    with pytest.raises(DataError) as refused:
        pseudo_labelled_examples("q", ranking_of("q", "a b"), {("q", "a"): 0.95}, SETTINGS)
    assert str(refused.value) == (
        "--scores: expected a score of query q and passage b, got none: "
        "score this --run, at least as deep"
    )


def test_the_rows_of_all_queries_are_counted(tmp_path):
    run = {"q1": ranking_of("q1", "a b"), "q2": ranking_of("q2", "a b")}
    scores = tmp_path / "scored.run"
    scores.write_text("q1\ta\t1\t0.95\nq1\tb\t2\t0.01\nq2\ta\t1\t0.5\nq2\tb\t2\t0.01\n")
    assert pseudo_label(run, RunFile(scores), SETTINGS) == (["q1\ta\tb"], 1, 1)
