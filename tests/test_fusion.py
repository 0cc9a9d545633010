"""Rankings of a query become one: by hand on literal scores, then against a slow twin."""

import numpy as np
import pytest

from rocketqa.evaluation.measures import mean, per_query
from rocketqa.search.fusion import (
    best_weights,
    fuse,
    pool_of,
    reciprocal_ranks,
    shares,
    weight_grid,
)

WORDS = [("a", 9.0), ("b", 5.0), ("c", 1.0)]
VECTORS = [("c", -2.0), ("a", -3.0), ("d", -6.0)]


def test_scores_are_scaled_to_0_and_1_and_added_with_weights():
    fused = fuse([WORDS, VECTORS], (0.5, 0.5))
    # a: 1 and 3/4; b: 1/2 and none; c: 0 and 1; d: none and 0
    assert fused == [("a", 0.875), ("c", 0.5), ("b", 0.25), ("d", 0.0)]


def test_reciprocal_ranks_count_from_60():
    fused = dict(fuse([WORDS, VECTORS], (0.5, 0.5), "ranks"))
    assert fused["a"] == pytest.approx(0.5 / 61 + 0.5 / 62, rel=1e-6)
    assert fused["d"] == pytest.approx(0.5 / 63, rel=1e-6)
    assert list(fused) == ["a", "c", "b", "d"]


def test_equal_fused_scores_are_ranked_by_id():
    rankings = [[("z", 2.0), ("y", 1.0)], [("y", 2.0), ("z", 1.0)], [("m", 1.0)]]
    fused = fuse(rankings, shares((1, 1, 1)))
    assert [passage_id for passage_id, _ in fused] == ["m", "y", "z"]
    assert len({score for _, score in fused}) == 1


def test_a_ranking_of_weight_0_is_left_out():
    assert fuse([WORDS, VECTORS], (1.0, 0.0)) == [("a", 1.0), ("b", 0.5), ("c", 0.0)]


def test_equal_scores_of_a_ranking_all_count_as_its_best():
    assert fuse([[("a", 3.0), ("b", 3.0)], []], (0.5, 0.5)) == [("a", 0.5), ("b", 0.5)]
    assert fuse([[], []], (0.5, 0.5)) == []


def test_scores_as_large_as_float64_has_them_are_scaled():
    assert fuse([[("a", 1e308), ("b", -1e308)]], (1.0,)) == [("a", 1.0), ("b", 0.0)]


def test_fused_scores_are_what_a_run_holds_exactly():
    for _, score in fuse([WORDS, VECTORS], (0.3, 0.7)):
        assert np.float32(f"{score:.9g}") == score


def test_the_grid_holds_all_tenths_that_add_up_to_1():
    assert weight_grid(2)[:2] == [(0.0, 1.0), (0.1, 0.9)]
    assert [len(weight_grid(count)) for count in (1, 2, 3)] == [1, 11, 66]


def test_of_weights_within_a_standard_error_of_the_best_the_most_even_are_chosen():
    grid = weight_grid(2)
    ranks = np.ones((4, 11))
    assert best_weights(grid, ranks) == (0.5, 0.5)
    ranks[:, 9] = 2  # every query agrees
    assert best_weights(grid, ranks) == (0.9, 0.1)
    ranks[:, 3] = [2, 2, 2, 1]  # below by .25; the standard error is .217
    assert best_weights(grid, ranks) == (0.9, 0.1)
    ranks[:, 3] = [3, 2, 2, 0]  # below by .25; the standard error is .545
    assert best_weights(grid, ranks) == (0.3, 0.7)
    ranks[:, 7] = [3, 2, 2, 0.5]  # as even, and better
    assert best_weights(grid, ranks) == (0.7, 0.3)
    ranks[:, 7] = ranks[:, 3]
    assert best_weights(grid, ranks) == (0.3, 0.7)


@pytest.mark.parametrize("method", ["scores", "ranks"])
def test_the_measure_of_all_weights_is_that_of_the_fused_rankings(method):
    random = np.random.default_rng(1)
    grid = weight_grid(3)
    weights = np.array(grid)
    for _ in range(20):
        rankings = []
        for _ in range(3):
            count = random.integers(0, 15)
            ids = random.choice(30, count, replace=False)
            scores = sorted(random.integers(0, 6, count).tolist(), reverse=True)
            rankings.append([(f"p{i}", float(score)) for i, score in zip(ids, scores)])
        relevant = {f"p{i}" for i in random.choice(30, 3, replace=False)}
        found = reciprocal_ranks(pool_of(rankings, method), weights, relevant, 10)
        for value, weighting in zip(found, grid):
            fused = fuse(rankings, weighting, method)
            run = {"q": [passage_id for passage_id, _ in fused]}
            values = per_query(run, {"q": dict.fromkeys(relevant, 1)}, "MRR@10")
            assert value == pytest.approx(mean(values))
