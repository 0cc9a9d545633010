"""Few padded groups compute what groups of equal length do."""

import numpy as np
import paddle
import pytest

from rocketqa.encoder.grouped_attention import (
    MOST_GROUPS,
    EqualGroups,
    PaddedGroups,
    join_similar,
)
from rocketqa.encoder.packing import RowGroup

GROUPS = [RowGroup(2, 1), RowGroup(1, 3), RowGroup(3, 4), RowGroup(1, 9), RowGroup(2, 17)]
ROWS = 9
TOKENS = 60


@pytest.fixture(params=[("float64", 1e-10), ("float32", 1e-6)])
def tolerance(request):
    """The tolerance of the type that everything is made in."""
    name, tolerance = request.param
    paddle.set_default_dtype(name)
    yield tolerance
    paddle.set_default_dtype("float32")


def drawn(*shape: int, seed: int) -> paddle.Tensor:
    """Returns a seeded normal tensor that takes gradients."""
    values = np.random.default_rng(seed).normal(size=shape)
    tensor = paddle.to_tensor(values, paddle.get_default_dtype())
    tensor.stop_gradient = False
    return tensor


def assert_same_values_and_gradients(found, expected, inputs, tolerance) -> None:
    direction = drawn(*found.shape, seed=9)
    found_gradients = paddle.grad((found * direction).sum(), inputs)
    expected_gradients = paddle.grad((expected * direction).sum(), inputs)
    pairs = [(found, expected), *zip(found_gradients, expected_gradients)]
    for one, other in pairs:
        largest = max(1.0, float(other.abs().max()))
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=tolerance * largest)


def test_lengths_are_rounded_up_to_an_eighth_of_the_longest():
    groups = [RowGroup(2, 3), RowGroup(1, 16), RowGroup(5, 17), RowGroup(1, 30), RowGroup(3, 128)]
    assert join_similar(groups) == [(3, 16), (6, 30), (3, 128)]


@pytest.mark.parametrize("longest", [1, 2, 7, 8, 9, 128, 511])
def test_there_are_at_most_eight_groups_with_all_rows_and_room_for_each(longest):
    groups = [RowGroup(1, length) for length in range(1, longest + 1)]
    joined = join_similar(groups)
    assert len(joined) == min(longest, MOST_GROUPS) or longest == 9
    assert sum(group.rows for group in joined) == longest
    assert joined[-1].length == longest
    room = np.repeat([group.length for group in joined], [group.rows for group in joined])
    assert (room >= np.arange(1, longest + 1)).all()


def test_each_token_has_a_place_and_padding_repeats_the_last_token_of_its_row():
    rows = PaddedGroups([RowGroup(1, 1), RowGroup(1, 15), RowGroup(1, 16)])
    assert rows.groups == [(1, 1), (2, 16)]
    expected = [0, *range(1, 16), 15, *range(16, 32)]
    assert rows.token_places.tolist() == expected
    assert rows.places_of_tokens.tolist() == [0, *range(1, 16), *range(17, 33)]
    penalties = rows.penalties[1].reshape([2, 16]).tolist()
    assert penalties == [[0.0] * 15 + [-np.inf], [0.0] * 16]


@pytest.mark.parametrize("first_only", [False, True])
def test_padded_groups_equal_groups_of_equal_length(first_only, tolerance):
    q = drawn(ROWS if first_only else TOKENS, 12, seed=1)
    k = drawn(TOKENS, 12, seed=2)
    v = drawn(TOKENS, 12, seed=3)
    found = PaddedGroups(GROUPS).attend(q, k, v, 3, first_only, 0.0)
    expected = EqualGroups(GROUPS).attend(q, k, v, 3, first_only, 0.0)
    assert_same_values_and_gradients(found, expected, [q, k, v], tolerance)


def test_padding_leaves_the_means_of_rows_as_they_are(tolerance):
    hidden = drawn(TOKENS, 6, seed=1)
    found = PaddedGroups(GROUPS).means(hidden)
    expected = EqualGroups(GROUPS).means(hidden)
    assert_same_values_and_gradients(found, expected, [hidden], tolerance)


def test_padding_counts_for_nothing_even_where_its_scores_are_large():
    q = paddle.full([TOKENS, 4], 100.0)
    v = paddle.ones([TOKENS, 4])
    assert (PaddedGroups(GROUPS).attend(q, q, v, 1, False, 0.0) - 1).abs().max() < 1e-6


def test_equal_states_of_the_generator_give_equal_dropout():
    q = drawn(TOKENS, 12, seed=1)
    rows = PaddedGroups(GROUPS)
    found = []
    for _ in range(2):
        paddle.seed(7)
        found.append(rows.with_new_dropout().attend(q, q, q, 3, False, 0.5).numpy())
    assert np.array_equal(*found)
    assert not np.allclose(found[0], rows.attend(q, q, q, 3, False, 0.0).numpy())
