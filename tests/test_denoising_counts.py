"""Passages are counted by kind, rank and score, and removals are drawn by the query alone."""

import numpy as np
import pytest
from denoising_fixture import counts_of

from rocketqa.evaluation.denoising_counts import (
    IRRELEVANT,
    LABELLED,
    RELEVANT,
    UNKNOWN,
    DenoisingCounts,
)
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage


def test_passages_are_counted_by_what_is_known_of_them():
    counts = counts_of(
        ("q1", {"a": 0.95, "b": 0.4, "c": 0.05}, ["a"], ["a", "c"]),
        ("q2", {"a": 0.9, "b": 0.2}, [], None),
        ("q3", {"a": 0.9}, [], []),
    )
    of_kind = counts.passages.sum((1, 2))
    assert of_kind[LABELLED] == 1  # a of q1
    assert of_kind[RELEVANT] == 1  # c of q1
    assert of_kind[IRRELEVANT] == 2  # b of q1, a of q3
    assert of_kind[UNKNOWN] == 2  # a and b of q2
    assert counts.queries == 3


def test_a_query_without_retrieved_passages_does_not_count():
    assert counts_of(("q1", {}, [], None)).queries == 0


def test_removed_are_the_unlabelled_passages_that_are_not_below_the_threshold():
    counts = counts_of(("q1", {"a": 0.1, "b": 0.0999, "c": 0.5, "d": 0.9}, ["d"], None))
    assert counts.unlabelled_passages() == 3
    assert counts.removed_passages() == 2


def test_scores_on_a_threshold_are_neither_below_nor_above_it():
    counts = counts_of(("q1", {"a": 0.2}, [], None))
    assert counts.passages_below(0.2).sum() == 0
    assert counts.passages_below(0.3).sum() == 1
    assert counts.queries_with_score_below(0.2) == 0
    assert counts.queries_with_score_below(0.3) == 1
    assert counts.best_above(0.2).sum() == 0
    assert counts.best_above(0.1).sum() == 1


def test_the_counts_do_not_grow_with_the_queries():
    queries = [(f"q{number}", {"a": 0.5}, [], None) for number in range(50)]
    few, many = counts_of(*queries[:1]), counts_of(*queries)
    assert few.passages.shape == many.passages.shape
    assert np.array_equal(many.passages, 50 * few.passages)
    assert len(many.removals()) == 20


def test_twenty_removals_are_drawn_one_a_query_whatever_the_order_of_the_queries():
    queries = [(f"q{number}", {"a": 0.5, "b": 0.6, "c": 0.0}, [], None) for number in range(60)]
    removals = counts_of(*queries).removals()
    assert len({removal.query_id for removal in removals}) == len(removals) == 20
    assert {removal.passage_id for removal in removals} == {"a", "b"}
    assert counts_of(*queries[::-1]).removals() == removals
    assert counts_of(*queries, seed=2).removals() != removals
    assert counts_of(("q1", {"a": 0.0}, [], None)).removals() == []


def test_a_score_that_is_missing_is_refused():
    message = "--scores: expected a score of query q and passage a, got none"
    with pytest.raises(DataError, match=message):
        DenoisingCounts(0.1, 0.9, 1).add("q", [ScoredPassage("q", "a", 1, 1.0)], {}, (), None)
