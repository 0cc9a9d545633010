"""Batches hold rows of similar length and never more padded tokens than their budget."""

import numpy as np
import pytest

from rocketqa.encoder.batch_plan import batches_of_similar_length, plan_batches


@pytest.mark.parametrize(
    "lengths, max_tokens, batches",
    [
        ([5, 2, 3, 2], 6, [[1, 3], [2], [0]]),
        ([2, 2, 2, 2], 6, [[0, 1, 2], [3]]),
        ([7, 9], 6, [[0], [1]]),
        ([], 6, []),
        ([1, 2, 3], 9, [[0, 1, 2]]),
    ],
)
def test_rows_of_similar_length_share_a_budget_of_padded_tokens(lengths, max_tokens, batches):
    found = batches_of_similar_length(lengths, max_tokens)
    assert [batch.tolist() for batch in found] == batches


def test_every_row_is_in_one_batch_and_a_batch_ends_only_where_the_next_row_does_not_fit():
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    batches = batches_of_similar_length(lengths.tolist(), 256)
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(500))
    longest = [lengths[batch].max() for batch in batches]
    shortest = [lengths[batch].min() for batch in batches]
    for batch, length in zip(batches, longest):
        assert len(batch) * length <= 256
    for batch, next_length in zip(batches, shortest[1:]):
        assert (len(batch) + 1) * next_length > 256
    for length, next_length in zip(longest, shortest[1:]):
        assert length <= next_length


def test_the_plan_is_the_order_of_the_rows_and_the_bounds_of_the_batches():
    order, bounds = plan_batches(np.array([5, 2, 3, 2]), 6)
    assert order.tolist() == [1, 3, 2, 0]
    assert bounds == [0, 2, 3, 4]


def test_no_rows_have_a_plan_without_batches():
    order, bounds = plan_batches(np.array([], np.int64), 6)
    assert order.tolist() == []
    assert bounds == [0]
