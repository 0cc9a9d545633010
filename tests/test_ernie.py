"""Our encoder is ERNIE: PaddleNLP's ErnieModel is the oracle, on padded batches with the same weights."""

import numpy as np
import paddle
import pytest

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie, initial_weights
from rocketqa.encoder.packing import pack


def paddlenlp_twin(config: ErnieConfig, weights):
    from paddlenlp.transformers import ErnieConfig as PaddleNLPConfig
    from paddlenlp.transformers import ErnieModel

    twin = ErnieModel(PaddleNLPConfig(**config._asdict()))
    for layer in twin.sublayers():
        if isinstance(layer, paddle.nn.LayerNorm):
            layer._epsilon = config.layer_norm_eps  # PaddleNLP's hook always sets 1e-12.
    assert twin.state_dict().keys() == weights.keys()
    for name, parameter in twin.state_dict().items():
        parameter.set_value(weights[name])
    return twin


def padded(rows):
    length = max(len(row.token_ids) for row in rows)
    ids, types = np.zeros((2, len(rows), length), np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row.token_ids)], types[i, : len(row.token_ids)] = row
    return paddle.to_tensor(ids), paddle.to_tensor(types)


def ours(config, weights):
    model = Ernie(config, with_pooler=True)
    for name, parameter in model.state_dict().items():
        parameter.set_value(weights[name])
    return model


def drawn_weights(config):
    """Weights with no zero bias and no unit norm among them, so that each one matters."""
    drawing = np.random.default_rng(7)
    return {
        name: (value + drawing.normal(0, 0.1, value.shape)).astype(paddle.get_default_dtype())
        for name, value in initial_weights(config, seed=3).items()
    }


@pytest.fixture(params=["float64", "float32"])
def tolerance(request):
    """1e-10 while everything is made in float64, 1e-6 in float32."""
    paddle.set_default_dtype(request.param)
    yield {"float64": 1e-10, "float32": 1e-6}[request.param]
    paddle.set_default_dtype("float32")


def assert_close(found, expected, tolerance, what=""):
    """Within so much of the largest value."""
    found, expected = found.numpy(), expected.numpy()
    assert found.dtype == expected.dtype == np.dtype(paddle.get_default_dtype())
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()), err_msg=what
    )


def mean_of_tokens(sequence, ids):
    there = (ids != 0).astype(sequence.dtype).unsqueeze(2)
    return (sequence * there).sum(axis=1) / there.sum(axis=1)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"use_task_id": True},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-12},
        {"representation": "mean"},
    ],
)
def test_vectors_and_gradients_are_those_of_the_plain_padded_encoder(
    tiny_config, random_rows, change, tolerance
):
    config = tiny_config._replace(**change)
    weights, rows = drawn_weights(config), random_rows(9)
    weights["embeddings.word_embeddings.weight"][0] = 0  # PaddleNLP zeroes the padding row.
    model, twin = ours(config, weights), paddlenlp_twin(config, weights)
    direction = paddle.to_tensor(np.random.default_rng(1).normal(size=(9, 16))).astype(
        paddle.get_default_dtype()
    )

    vectors, pooled = model(pack(rows)), model.pooled(pack(rows))
    ids, types = padded(rows)
    sequence, _ = twin(ids, types)
    expected = mean_of_tokens(sequence, ids) if config.representation == "mean" else sequence[:, 0]
    expected_pooled = paddle.tanh(twin.pooler.dense(expected))
    assert_close(vectors, expected, tolerance)
    assert_close(pooled, expected_pooled, tolerance)
    ((vectors + pooled) * direction).sum().backward()
    ((expected + expected_pooled) * direction).sum().backward()
    gradients = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, gradients[name].grad, tolerance, name)


def test_a_row_has_the_same_vector_whatever_rows_stand_beside_it(tiny_config, random_rows):
    model, rows = ours(tiny_config, drawn_weights(tiny_config)), random_rows(6, seed=2)
    together = model(pack(rows)).numpy()
    alone = np.concatenate([model(pack([row])).numpy() for row in rows])
    np.testing.assert_allclose(together, alone, rtol=0, atol=3e-6)


def test_initial_weights_are_cut_at_two_deviations_and_follow_the_seed(tiny_config):
    weights = initial_weights(tiny_config, seed=1)
    words = weights["embeddings.word_embeddings.weight"]
    assert 0.015 < words.std() < 0.02 and np.abs(words).max() <= 0.04
    assert (
        words == initial_weights(tiny_config, seed=1)["embeddings.word_embeddings.weight"]
    ).all()
    assert (
        words != initial_weights(tiny_config, seed=2)["embeddings.word_embeddings.weight"]
    ).any()
