"""Known positives and their copies are left out, and the own positive stays."""

import numpy as np
import paddle

from rocketqa.training.known_positives import EMPTY_PLACE, KnownPositives


def mask_of(passages, positives, labels, candidates=None):
    known = KnownPositives(np.array(passages), positives)
    numbers = paddle.to_tensor(np.array(candidates or passages))
    return known.mask(paddle.to_tensor(np.array(labels)), numbers).numpy()


def test_a_mask_worked_out_by_hand():
    # Query 0 knows 7 and 9, query 1 knows 8; the labels are the places 0 and 1.
    mask = mask_of([7, 8, 9, 7], [[7, 9], [8]], [0, 1])
    assert mask.tolist() == [[False, False, True, True], [False, False, False, False]]


def test_candidates_of_other_devices_are_masked_too():
    mask = mask_of([7, 8], [[7], [8]], [2, 3], candidates=[8, 7, 7, 8, EMPTY_PLACE])
    assert mask.tolist() == [[False, True, False, False, False], [True, False, False, False, False]]


def test_masks_are_those_of_a_slow_twin():
    generator = np.random.default_rng(1)
    candidates = generator.integers(-1, 30, 64)
    positives = [
        [EMPTY_PLACE, *generator.integers(0, 30, count).tolist()]
        for count in generator.integers(0, 6, 8)
    ]
    labels = generator.permutation(64)[:8]
    expected = np.stack([np.isin(candidates, own) for own in positives])
    expected[np.arange(8), labels] = False
    found = mask_of(candidates, positives, labels)
    np.testing.assert_array_equal(found, expected)
    assert found.any() and not found.all()


def test_queries_without_known_positives_mask_nothing():
    assert not mask_of([7, 8], [[], []], [0, 1]).any()


def test_chunks_are_joined_in_their_order():
    first = KnownPositives(np.array([1, 2]), [[1]])
    second = KnownPositives(np.array([3]), [[3, 1]])
    joined = KnownPositives.joined([first, None, second])
    assert joined.passages.tolist() == [1, 2, 3] and joined.positives == [[1], [3, 1]]
    assert KnownPositives.joined([None]) is None
