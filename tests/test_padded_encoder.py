"""Padded encoders give what the models give on packed rows; padding has no effect."""

import numpy as np
import paddle
import pytest
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_cross_encoder, tiny_ernie

from rocketqa.encoder.packing import pack
from rocketqa.inference.padded_encoder import (
    INPUTS,
    PaddedCrossEncoder,
    PaddedErnie,
    masked_means,
    padded_inputs,
    padded_twin,
)
from rocketqa.text.tokenizer import Encoding


def run_padded(layer: paddle.nn.Layer, rows: list[Encoding]) -> np.ndarray:
    inputs = padded_inputs(rows)
    layer.eval()
    with paddle.no_grad():
        return layer(*[paddle.to_tensor(inputs[name]) for name in INPUTS]).numpy()


def test_padding_is_zeros_under_a_mask():
    rows = [
        Encoding(np.array([2, 5, 3]), np.array([0, 0, 1])),
        Encoding(np.array([2]), np.array([0])),
    ]
    assert {name: values.tolist() for name, values in padded_inputs(rows).items()} == {
        "token_ids": [[2, 5, 3], [2, 0, 0]],
        "type_ids": [[0, 0, 1], [0, 0, 0]],
        "mask": [[1, 1, 1], [1, 0, 0]],
    }


def test_the_inputs_of_a_graph_are_int64_in_the_order_of_their_names():
    inputs = padded_inputs(rows_of_lengths(4, 2))
    assert tuple(inputs) == INPUTS
    assert {values.dtype for values in inputs.values()} == {np.dtype(np.int64)}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"use_task_id": True, "hidden_act": "relu"},
        {"representation": "mean"},
        {"representation": "mean", "similarity": "cosine"},
    ],
)
def test_vectors_are_those_of_the_packed_encoder(change):
    model = tiny_ernie(TINY_CONFIG._replace(**change))
    rows = rows_of_lengths(2, 40, 3, 17)
    with paddle.no_grad():
        expected = model(pack(rows)).numpy()
    np.testing.assert_allclose(run_padded(PaddedErnie(model), rows), expected, rtol=0, atol=1e-5)


def test_probabilities_are_those_of_the_cross_encoder():
    model = tiny_cross_encoder()
    rows = rows_of_lengths(5, 30, 12)
    with paddle.no_grad():
        expected = model.probability(pack(rows)).numpy()
    found = run_padded(PaddedCrossEncoder(model), rows)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_each_model_has_its_padded_twin():
    assert isinstance(padded_twin(tiny_ernie()), PaddedErnie)
    assert isinstance(padded_twin(tiny_cross_encoder()), PaddedCrossEncoder)


def test_a_mean_leaves_padding_out():
    hidden = paddle.to_tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [99.0, 99.0]]])
    mask = paddle.to_tensor([[1.0, 1.0], [1.0, 0.0]])
    assert masked_means(hidden, mask).tolist() == [[2.0, 3.0], [5.0, 6.0]]
