"""Of the candidates the best is chosen."""

import numpy as np
import pytest

from rocketqa.training.start_choice import (
    Candidate,
    StartChoice,
    rankings,
)


def candidate(
    representation: str, similarity: str, mrr: float, length: int = 128, own: bool = False
) -> Candidate:
    """Returns a measured candidate."""
    return Candidate(representation, similarity, length, mrr, own)


def test_of_equal_candidates_the_one_of_the_weights_is_chosen():
    first, own = candidate("first", "dot", 0.5), candidate("mean", "cosine", 0.5, own=True)
    better = candidate("mean", "dot", 0.6)
    assert StartChoice([first, own], "").chosen == own
    assert StartChoice([first, own, better], "").chosen == better


@pytest.mark.parametrize(
    "longer, chosen",
    [([], 128), ([0.609], 128), ([0.61], 256), ([0.61, 0.619], 256), ([0.605, 0.61], 384)],
)
def test_a_longer_length_is_chosen_where_it_gains_a_hundredth(longer, chosen):
    candidates = [candidate("mean", "dot", 0.6), candidate("mean", "cosine", 0.4, own=True)]
    for length, mrr in zip((256, 384), longer):
        candidates.append(candidate("mean", "dot", mrr, length))
    assert StartChoice(candidates, "").chosen.length == chosen


def test_equal_scores_are_ranked_by_passage_id():
    q_reps = np.array([[1.0, 0.0]], np.float32)
    same = np.ones((3, 2), np.float32)
    assert list(rankings(q_reps, same, ["a", "b", "c"])) == [["a", "b", "c"]]
    longer = np.array([[1, 0], [1, 9], [2, 0]], np.float32)
    assert list(rankings(q_reps, longer, ["a", "b", "c"])) == [["c", "a", "b"]]
