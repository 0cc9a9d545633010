"""Answers are ordered by score and then by passage id."""

from rocketqa.files.formats import Passage
from rocketqa.search.answer import Answer, ranked_answers


def test_answers_are_ordered_by_score_and_then_by_passage_id():
    passages = [Passage("p2", "two", "x"), Passage("p10", "", "y"), Passage("p1", "one", "z")]
    assert ranked_answers(passages, [0.5, 0.5, 0.75]) == [
        Answer("p1", "one", "z", 0.75),
        Answer("p10", "", "y", 0.5),
        Answer("p2", "two", "x", 0.5),
    ]
    assert ranked_answers([], []) == []
