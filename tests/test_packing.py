"""Packed rows: sorted by length, laid end to end, put back into the caller's order."""

import numpy as np
import paddle
import pytest

from rocketqa.encoder.packing import RowGroup, pack, row_means, split_by_group
from rocketqa.text.tokenizer import Encoding

ROWS = [
    Encoding(np.array([2, 30, 31, 3]), np.array([0, 0, 1, 1])),
    Encoding(np.array([2, 3]), np.array([0, 0])),
    Encoding(np.array([2, 10, 11, 3]), np.array([0, 0, 0, 1])),
    Encoding(np.array([2, 20, 3]), np.array([0, 1, 1])),
]


def test_rows_are_laid_end_to_end_by_length_and_equal_lengths_keep_their_order():
    packed = pack(ROWS)
    assert packed.token_ids.tolist() == [2, 3, 2, 20, 3, 2, 30, 31, 3, 2, 10, 11, 3]
    assert packed.type_ids.tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1]
    assert packed.positions.tolist() == [0, 1, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3]
    assert packed.groups == [(1, 2), (1, 3), (2, 4)]


def test_first_points_at_the_first_token_of_each_packed_row():
    packed = pack(ROWS)
    assert packed.first.tolist() == [0, 2, 5, 9]
    assert (paddle.gather(packed.token_ids, packed.first) == 2).all()


def test_restore_gives_the_rows_in_the_order_of_the_caller():
    packed = pack(ROWS)
    assert packed.restore.tolist() == [2, 0, 3, 1]
    second_tokens = paddle.gather(packed.token_ids, packed.first + 1)
    assert paddle.gather(second_tokens, packed.restore).tolist() == [30, 3, 10, 20]


def test_all_indices_are_int64():
    packed = pack(ROWS)
    for tensor in packed[:-1]:
        assert tensor.dtype == paddle.int64


def test_a_group_knows_the_number_of_its_tokens():
    assert RowGroup(rows=3, length=5).tokens == 15


def test_tokens_are_split_by_group_and_averaged_by_row():
    hidden = paddle.to_tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 2.0], [1.0, 4.0], [3.0, 6.0]])
    groups = [RowGroup(1, 1), RowGroup(2, 2)]
    parts = split_by_group(hidden, groups)
    assert [part.shape for part in parts] == [[1, 2], [4, 2]]
    assert row_means(hidden, groups).tolist() == [[1.0, 0.0], [4.0, 1.0], [2.0, 5.0]]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_row_means_are_those_of_numpy(random_rows, count):
    rows = random_rows(count, seed=count)
    packed = pack(rows)
    tokens = sum(group.tokens for group in packed.groups)
    hidden = np.random.default_rng(count).normal(size=(tokens, 6)).astype(np.float32)
    means = row_means(paddle.to_tensor(hidden), packed.groups)
    begins = packed.first.numpy()
    restored = paddle.gather(means, packed.restore).numpy()
    for place, row in enumerate(rows):
        begin = begins[packed.restore[place]]
        expected = hidden[begin : begin + len(row.token_ids)].mean(axis=0)
        np.testing.assert_allclose(restored[place], expected, rtol=0, atol=1e-6)
