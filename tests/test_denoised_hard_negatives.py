"""Hard negatives are unlabelled top passages that the cross encoder rejects (section 3.3.2)."""

from collections import Counter

import pytest

from rocketqa.denoised_hard_negatives import (
    HardNegativeSettings,
    confident_negatives,
    cross_examples,
    draw,
    dual_examples,
    fill_up,
    hard_negatives,
    score_of,
    unlabelled_passages,
)
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage

RANKING = [
    ScoredPassage("q", passage_id, rank, 1 / rank) for rank, passage_id in enumerate("abcdefgh", 1)
]
SCORES = {
    ("q", "a"): 0.9,
    ("q", "c"): 0.05,
    ("q", "d"): 0.2,
    ("q", "e"): 0.01,
}
SETTINGS = HardNegativeSettings(depth=5, max_negative=0.1, order="rank", fill_depth=0, seed=1)


def test_hard_negatives_are_the_rejected_unlabelled_passages_by_rank():
    # b is a positive; a and d are not rejected; f, g and h are below the depth.
    assert hard_negatives("q", RANKING, {"b"}, SCORES, 4, SETTINGS) == ["c", "e"]
    assert hard_negatives("q", RANKING, {"b"}, SCORES, 1, SETTINGS) == ["c"]
    assert hard_negatives("q", RANKING, {"b"}, None, 3, SETTINGS) == ["a", "c", "d"]


def test_random_order_draws_among_all_rejected_passages():
    settings = SETTINGS._replace(order="random")
    seeds = [settings._replace(seed=seed) for seed in range(20)]
    drawn = {tuple(hard_negatives("q", RANKING, {"b"}, SCORES, 1, each)) for each in seeds}
    assert drawn == {("c",), ("e",)}


def test_missing_hard_negatives_come_from_deeper_ranks():
    settings = SETTINGS._replace(fill_depth=7)
    negatives = hard_negatives("q", RANKING, {"b", "f"}, SCORES, 9, settings)
    assert negatives == ["c", "e", "g"]


def test_the_top_of_a_ranking_is_by_rank_and_not_by_place():
    shuffled = [
        ScoredPassage("q", "c", 3, 0.0),
        ScoredPassage("q", "a", 1, 0.0),
        ScoredPassage("q", "d", 4, 0.0),
    ]
    assert unlabelled_passages(shuffled, ["c"], 3) == ["a"]


def test_the_threshold_is_strict():
    scores = {("q", "a"): 0.1, ("q", "b"): 0.0999, ("q", "c"): 0.0, ("q", "d"): 0.1001}
    assert confident_negatives("q", "abcd", scores, 0.1) == ["b", "c"]


def test_a_missing_score_is_refused():
    assert score_of({("q", "a"): 0.0}, "q", "a") == 0.0
    with pytest.raises(DataError) as refused:
        confident_negatives("q", "ab", {("q", "a"): 0.0}, 0.1)
    assert str(refused.value) == (
        "--scores: expected a score of query q and passage b, got none: "
        "score this --run, at least as deep"
    )


def test_filling_up_repeats_nothing_and_ends_where_the_ranks_end():
    assert fill_up("q", ["a", "b"], ["c", "d"], 2, 1) == ["a", "b"]
    assert fill_up("q", ["a"], ["c", "d"], 9, 1) == ["a", "c", "d"]
    negatives = fill_up("q", ["a"], list("cdefgh"), 4, 1)
    assert negatives[0] == "a"
    assert len(set(negatives)) == 4
    assert set(negatives[1:]) < set("cdefgh")


def test_every_candidate_is_drawn_equally_often_and_at_most_once():
    draws = [draw(f"q{number}", "abcde", 2, 1, "sample") for number in range(1000)]
    assert all(len(set(pair)) == 2 for pair in draws)
    counts = Counter(passage_id for pair in draws for passage_id in pair)
    assert counts.keys() == set("abcde")
    assert all(340 < count < 460 for count in counts.values())  # 400, standard deviation 15


def test_drawing_all_or_more_keeps_every_candidate():
    assert draw("q", "abc", 3, 1, "sample") == ["a", "b", "c"]
    assert draw("q", "abc", 9, 1, "sample") == ["a", "b", "c"]


def passages_of_rows(negatives: str, rows_per_positive: int, negatives_per_row: int):
    """Returns the positive and the negatives of each row, for the positives A and B."""
    examples = dual_examples(
        "q", ["A", "B"], negatives.split(), rows_per_positive, negatives_per_row
    )
    return [example[1:] for example in examples]


def test_each_positive_has_its_own_negatives_and_fewer_negatives_give_fewer_rows():
    assert passages_of_rows("a b c d e f g h i", 4, 1) == [
        ("A", ("a",)),
        ("A", ("b",)),
        ("A", ("c",)),
        ("A", ("d",)),
        ("B", ("e",)),
        ("B", ("f",)),
        ("B", ("g",)),
        ("B", ("h",)),
    ]
    assert passages_of_rows("a b c", 2, 1) == [("A", ("a",)), ("A", ("b",)), ("B", ("c",))]
    assert passages_of_rows("a b c d e", 1, 2) == [("A", ("a", "b")), ("B", ("c", "d"))]
    assert passages_of_rows("a b c", 1, 2) == [("A", ("a", "b"))]
    assert passages_of_rows("a", 1, 2) == []
    assert passages_of_rows("", 4, 1) == []


def test_the_cross_encoder_learns_from_positives_with_label_1_and_negatives_with_label_0():
    assert list(cross_examples("q", ["A"], ["a", "b"])) == [
        ("q", "A", 1),
        ("q", "a", 0),
        ("q", "b", 0),
    ]
