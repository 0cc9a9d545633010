"""Answers are ordered by score and then by passage id."""

from pathlib import Path

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.search.answer import (
    Answer,
    depth_to_retrieve,
    ranked_answers,
    refuse_without_cross_encoder,
)


def test_answers_are_ordered_by_score_and_then_by_passage_id():
    passages = [Passage("p2", "two", "x"), Passage("p10", "", "y"), Passage("p1", "one", "z")]
    assert ranked_answers(passages, [0.5, 0.5, 0.75]) == [
        Answer("p1", "one", "z", 0.75),
        Answer("p10", "", "y", 0.5),
        Answer("p2", "two", "x", 0.5),
    ]
    assert ranked_answers([], []) == []


def test_as_many_passages_are_re_ranked_whatever_is_shown():
    depths = (1, 10, 50, 51, 100)
    assert [depth_to_retrieve(depth, None) for depth in depths] == [50, 50, 50, 51, 100]
    assert [depth_to_retrieve(depth, 200) for depth in depths] == [200] * 5


def test_a_depth_that_re_ranks_fewer_than_are_shown_is_refused():
    assert depth_to_retrieve(5, 5) == 5
    with pytest.raises(DataError) as refused:
        depth_to_retrieve(6, 5)
    assert str(refused.value) == "--rerank-depth: expected at least --depth 6, got 5"


def test_a_depth_and_a_weight_of_re_ranking_need_a_cross_encoder():
    refuse_without_cross_encoder(None, None, None)
    refuse_without_cross_encoder(Path("cross"), 5, 0.5)
    for depth, weight, flag in (
        (5, None, "--rerank-depth 5"),
        (None, 0.0, "--cross-encoder-weight 0.0"),
    ):
        with pytest.raises(DataError) as refused:
            refuse_without_cross_encoder(None, depth, weight)
        assert (
            str(refused.value) == f"{flag}: expected --cross-encoder DIR, which re-ranks, got none"
        )
