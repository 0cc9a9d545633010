"""Our encoder is ERNIE: PaddleNLP's ErnieModel is the oracle, on padded batches, same weights."""

import numpy as np
import paddle
import pytest
from paddlenlp_ernie import mean_of_tokens, padded_batch, paddlenlp_encoder

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack


def encoder(config: ErnieConfig, weights: dict[str, np.ndarray]) -> Ernie:
    """Returns our encoder with these weights."""
    model = Ernie(config, with_pooler=True)
    for name, parameter in model.state_dict().items():
        parameter.set_value(weights[name])
    return model


def drawn_weights(config: ErnieConfig) -> dict[str, np.ndarray]:
    """Returns weights without a bias of 0 or a norm of 1, so that each of them matters."""
    drawing = np.random.default_rng(7)
    weights = {}
    for name, value in initial_weights(config, seed=3).items():
        noise = drawing.normal(0, 0.1, value.shape)
        weights[name] = (value + noise).astype(paddle.get_default_dtype())
    return weights


@pytest.fixture(params=["float64", "float32"])
def tolerance(request):
    """1e-10 while everything is made in float64, 1e-6 in float32."""
    paddle.set_default_dtype(request.param)
    yield {"float64": 1e-10, "float32": 1e-6}[request.param]
    paddle.set_default_dtype("float32")


def assert_close(
    found: paddle.Tensor, expected: paddle.Tensor, tolerance: float, name: str = ""
) -> None:
    """The values agree within `tolerance` times the largest of them, or 1."""
    found = found.numpy()
    expected = expected.numpy()
    assert found.dtype == expected.dtype == np.dtype(paddle.get_default_dtype())
    largest = max(1, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest, err_msg=name)


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
    tiny_config, random_rows, change, tolerance, paddlenlp
):
    config = tiny_config._replace(**change)
    rows = random_rows(9)
    weights = drawn_weights(config)
    weights["embeddings.word_embeddings.weight"][0] = 0  # PaddleNLP zeroes the padding row.
    model = encoder(config, weights)
    oracle = paddlenlp_encoder(config, weights)

    vectors = model(pack(rows))
    pooled = model.pooled(pack(rows))
    token_ids, type_ids = padded_batch(rows)
    hidden, _ = oracle(token_ids, type_ids)
    if config.representation == "mean":
        expected = mean_of_tokens(hidden, token_ids)
    else:
        expected = hidden[:, 0]
    expected_pooled = paddle.tanh(oracle.pooler.dense(expected))
    assert_close(vectors, expected, tolerance)
    assert_close(pooled, expected_pooled, tolerance)

    drawing = np.random.default_rng(1)
    direction = paddle.to_tensor(drawing.normal(size=(9, 16)).astype(paddle.get_default_dtype()))
    ((vectors + pooled) * direction).sum().backward()
    ((expected + expected_pooled) * direction).sum().backward()
    expected_parameters = dict(oracle.named_parameters())
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, expected_parameters[name].grad, tolerance, name)


@pytest.mark.parametrize("representation", ["first", "mean"])
def test_the_vectors_of_a_cosine_encoder_are_the_others_at_length_1(
    tiny_config, random_rows, representation
):
    config = tiny_config._replace(representation=representation)
    weights = drawn_weights(config)
    rows = pack(random_rows(5))
    plain = encoder(config, weights)(rows).numpy()
    units = encoder(config.with_similarity("cosine", None), weights)(rows).numpy()
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(units, expected, rtol=0, atol=1e-6)


def test_a_row_has_the_same_vector_whatever_rows_stand_beside_it(tiny_config, random_rows):
    model = encoder(tiny_config, drawn_weights(tiny_config))
    rows = random_rows(6, seed=2)
    together = model(pack(rows)).numpy()
    alone = np.concatenate([model(pack([row])).numpy() for row in rows])
    np.testing.assert_allclose(together, alone, rtol=0, atol=3e-6)


def test_recomputed_activations_give_the_same_gradients(tiny_config, random_rows):
    plain = encoder(tiny_config, drawn_weights(tiny_config))
    recomputing = encoder(tiny_config, drawn_weights(tiny_config))
    recomputing.recompute = True
    for model in (plain, recomputing):
        model.pooled(pack(random_rows(6))).square().sum().backward()
    expected_parameters = dict(plain.named_parameters())
    for name, parameter in recomputing.named_parameters():
        assert_close(parameter.grad, expected_parameters[name].grad, 1e-6, name)
