"""The branch for FlashAttention, with Paddle's operator for GPUs replaced at its border."""

import inspect

import numpy as np
import paddle
import pytest
from gpu_operators import install_flash_attention, plain_flash_attention
from paddle.nn.functional.flash_attention import flash_attn_unpadded
from pretended_gpus import A100, V100, pretend_autocast, pretend_gpus
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_ernie

from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.flash_attention import FlashRows, is_supported, precision_of_products
from rocketqa.encoder.grouped_attention import EqualGroups
from rocketqa.encoder.packing import pack

HAS_GPU_BUILDS_THAT_WE_SUPPORT = hasattr(paddle, "device_guard")
pytestmark = pytest.mark.skipif(
    not HAS_GPU_BUILDS_THAT_WE_SUPPORT, reason="on GPUs, Paddle 3.3 or later is needed"
)
CONFIG = TINY_CONFIG._replace(
    hidden_size=32,  # heads of 8, the smallest that the operator takes
    attention_probs_dropout_prob=0.0,
    hidden_dropout_prob=0.0,
)
ROWS = rows_of_lengths(3, 11, 5, 5, 2, 30, 12, 11)


@pytest.fixture
def float64():
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def gradients(model: Ernie, vectors: paddle.Tensor) -> dict[str, np.ndarray]:
    """Returns the gradient of each parameter by the squares of the vectors."""
    model.clear_gradients()
    vectors.square().sum().backward()
    return {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float, name: str = "") -> None:
    largest = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest, err_msg=name)


def test_the_plain_operator_has_the_signature_of_the_installed_one():
    assert inspect.signature(plain_flash_attention) == inspect.signature(flash_attn_unpadded)


def test_rows_are_bounds_of_32_bits():
    rows = FlashRows.of(pack(rows_of_lengths(2, 2, 5)))
    assert rows.bounds.tolist() == [0, 2, 4, 9]
    assert rows.first_bounds.tolist() == [0, 1, 2, 3]
    assert rows.bounds.dtype == rows.first_bounds.dtype == paddle.int32


@pytest.mark.parametrize("first_only", [False, True])
def test_a_layer_equals_that_by_groups_with_its_gradients(first_only, float64, monkeypatch):
    install_flash_attention(monkeypatch)
    layer = tiny_ernie(CONFIG).encoder.layers[0]
    packed = pack(ROWS)
    tokens = paddle.to_tensor(
        np.random.default_rng(0).normal(size=(packed.token_ids.shape[0], CONFIG.hidden_size))
    )
    attending = paddle.gather(tokens, packed.first) if first_only else tokens
    found = layer(tokens, attending, FlashRows.of(packed), first_only)
    expected = layer(tokens, attending, EqualGroups(packed.groups), first_only)
    parameters = layer.parameters()
    found_gradients = paddle.grad(found.square().sum(), parameters)
    expected_gradients = paddle.grad(expected.square().sum(), parameters)
    assert_close(found.numpy(), expected.numpy(), 1e-10)
    for one, other in zip(found_gradients, expected_gradients):
        assert_close(one.numpy(), other.numpy(), 1e-10)


@pytest.mark.parametrize("representation", ["first", "mean"])
@pytest.mark.parametrize("precision, tolerance", [("float16", 4e-3), ("bfloat16", 3e-2)])
def test_the_encoder_in_half_precision_is_near_that_on_a_cpu(
    representation, precision, tolerance, float64, monkeypatch
):
    model = tiny_ernie(CONFIG._replace(representation=representation))
    packed = pack(ROWS)
    expected = model(packed)
    expected_gradients = gradients(model, expected)
    seeds = install_flash_attention(monkeypatch)
    pretend_gpus(monkeypatch, A100)
    pretend_autocast(monkeypatch, precision)
    found = model(packed)
    assert len(seeds) == 3
    assert_close(found.numpy(), expected.numpy(), tolerance)
    for name, gradient in gradients(model, found).items():
        assert_close(gradient, expected_gradients[name], tolerance, name)


def test_recomputed_layers_and_chunks_that_are_encoded_twice_have_the_same_dropout(
    float64, monkeypatch
):
    seeds = install_flash_attention(monkeypatch)
    pretend_gpus(monkeypatch, A100)
    pretend_autocast(monkeypatch, "float16")
    # On a GPU, Paddle's recomputation restores the generators of GPUs, not that of the CPU.
    monkeypatch.setattr(paddle, "get_rng_state", lambda device=None: [])
    monkeypatch.setattr(paddle, "set_rng_state", lambda states, device=None: None)
    model = tiny_ernie(CONFIG._replace(attention_probs_dropout_prob=0.3))
    model.train()
    packed = pack(ROWS)

    def one_pass() -> dict[str, np.ndarray]:
        paddle.seed(5)
        return gradients(model, model(packed))

    plain = one_pass()
    assert len(set(map(tuple, seeds))) == 3  # each layer has its own
    model.recompute = True
    recomputed = one_pass()
    assert seeds[:3] == seeds[3:6] and sorted(seeds[6:]) == sorted(seeds[:3])
    for name, gradient in recomputed.items():
        assert_close(gradient, plain[name], 1e-12, name)


def test_without_training_no_dropout_is_drawn(float64, monkeypatch):
    seeds = install_flash_attention(monkeypatch)
    pretend_gpus(monkeypatch, A100)
    pretend_autocast(monkeypatch, "float16")
    model = tiny_ernie(CONFIG._replace(attention_probs_dropout_prob=0.3))
    model(pack(ROWS))
    assert seeds == [None, None, None]


@pytest.mark.parametrize(
    "capability, precision, head_size, expected",
    [
        (A100, "float16", 64, True),
        ((9, 0), "bfloat16", 32, True),
        ((12, 0), "float16", 192, True),
        (V100, "float16", 64, False),
        ((7, 5), "float16", 64, False),
        (A100, None, 64, False),
        (A100, "float16", 26, False),
        (A100, "float16", 256, False),
    ],
)
def test_the_operator_is_used_where_it_exists(
    capability, precision, head_size, expected, monkeypatch
):
    pretend_gpus(monkeypatch, capability)
    if precision:
        pretend_autocast(monkeypatch, precision)
    assert is_supported(paddle.ones([2, 4]), head_size) is expected


def test_a_paddle_that_does_not_tell_its_precision_takes_padded_groups(monkeypatch):
    """Paddle 2.6.2, the last one for GPUs in the public package index."""
    pretend_gpus(monkeypatch, A100)
    monkeypatch.delattr(paddle, "is_autocast_enabled")
    assert not is_supported(paddle.ones([2, 4]).astype("float16"), 64)


def test_a_cpu_has_no_such_operator():
    assert not is_supported(paddle.ones([2, 4]).astype("float16"), 64)


def test_the_precision_of_products_is_that_of_auto_cast_or_else_of_the_tensor(monkeypatch):
    half = paddle.ones([2]).astype("bfloat16")
    assert precision_of_products(half) == "bfloat16"
    assert precision_of_products(paddle.ones([2])) == "float32"
    pretend_autocast(monkeypatch, "float16")
    assert precision_of_products(paddle.ones([2])) == "float16"
