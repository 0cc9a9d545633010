"""The CPU kernels equal Paddle's operators, with the dropout that their numpy twin computes."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from kernel_dropout import attention_factors, dropout_factors

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.kernel_library import library
from rocketqa.encoder.packing import pack

DROPOUT = 0.3
pytestmark = pytest.mark.skipif(library() is None, reason="no C compiler here")


def drawn(*shape: int, seed: int = 0) -> paddle.Tensor:
    """Returns a seeded normal tensor that takes gradients."""
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    tensor = paddle.to_tensor(values)
    tensor.stop_gradient = False
    return tensor


@pytest.fixture
def seeds(monkeypatch):
    """The seed of each dropout, in the order of the calls."""
    drawn_seeds = []
    draw_seed = cpu_kernels._draw_seed

    def noting(p: float) -> int:
        drawn_seeds.append(draw_seed(p))
        return drawn_seeds[-1]

    monkeypatch.setattr(cpu_kernels, "_draw_seed", noting)
    return drawn_seeds


def assert_equal_with_gradients(
    found: paddle.Tensor, expected: paddle.Tensor, inputs: list[paddle.Tensor]
) -> None:
    """Outputs and gradients of the inputs agree within 5e-6 of the largest value (sums of 512)."""
    direction = drawn(*found.shape, seed=9)
    found_gradients = paddle.grad((found * direction).sum(), inputs)
    expected_gradients = paddle.grad((expected * direction).sum(), inputs)
    pairs = [(found, expected), *zip(found_gradients, expected_gradients)]
    for one, other in pairs:
        tolerance = 5e-6 * max(1.0, float(other.abs().max()))
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("tokens, size", [(1, 16), (37, 24), (300, 40)])
def test_add_and_norm_equal_paddles_with_the_same_dropout(tokens, size, seeds):
    x = drawn(tokens, size)
    residual = drawn(tokens, size, seed=1)
    bias = drawn(size, seed=2)
    norm = paddle.nn.LayerNorm(size, epsilon=1e-5)
    norm.weight.set_value(drawn(size, seed=3))
    norm.bias.set_value(drawn(size, seed=4))
    found = cpu_kernels.add_norm(x, bias, residual, norm, DROPOUT)
    factors = dropout_factors(seeds[0], np.arange(tokens * size), DROPOUT)
    mask = paddle.to_tensor(factors.reshape(tokens, size))
    expected = norm(residual + (x + bias) * mask)
    assert_equal_with_gradients(found, expected, [x, bias, residual, norm.weight, norm.bias])


def test_gelu_equals_paddles_over_all_values_that_a_layer_makes():
    x = paddle.linspace(-12, 12, 40_000).reshape([1000, 40])
    x.stop_gradient = False
    bias = drawn(40)
    assert_equal_with_gradients(cpu_kernels.bias_gelu(x, bias), F.gelu(x + bias), [x, bias])


def attention_of_one_row(q, k, v, heads: int, factors: np.ndarray) -> paddle.Tensor:
    """Returns the contexts of one row by Paddle's operators, [a, H]; q: [a, H], k and v: [L, H]."""
    q, k, v = [
        tensor.reshape([tensor.shape[0], heads, -1]).transpose([1, 0, 2])  # [h, a or L, d]
        for tensor in (q, k, v)
    ]
    scores = paddle.matmul(q, k, transpose_y=True) / q.shape[2] ** 0.5  # [h, a, L]
    weights = F.softmax(scores) * paddle.to_tensor(factors)
    return paddle.matmul(weights, v).transpose([1, 0, 2]).flatten(1)


@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize(
    "groups, size",
    [
        ([(1, 1)], 4),
        ([(3, 2), (2, 15), (1, 16), (4, 17)], 12),
        ([(2, 33), (1, 200)], 20),
        ([(1, 512)], 64),
    ],
)
def test_attention_equals_paddles_row_by_row_with_the_same_dropout(groups, size, first_only, seeds):
    heads = 2
    hidden_size = heads * size
    lengths = [length for rows, length in groups for _ in range(rows)]
    q = drawn(len(lengths) if first_only else sum(lengths), hidden_size)
    kv = drawn(sum(lengths), 2 * hidden_size, seed=1)
    bias = drawn(3 * hidden_size, seed=2)
    found = cpu_kernels.attend(q, kv, bias, groups, heads, first_only, DROPOUT)

    bias_q, bias_k, bias_v = bias.split(3)
    contexts = []
    begin = 0
    for row, length in enumerate(lengths):
        end = begin + length
        k, v = kv[begin:end].split(2, axis=1)
        row_q = q[row : row + 1] if first_only else q[begin:end]
        factors = attention_factors(seeds[0], row, heads, row_q.shape[0], length, DROPOUT)
        contexts.append(
            attention_of_one_row(row_q + bias_q, k + bias_k, v + bias_v, heads, factors)
        )
        begin = end
    assert_equal_with_gradients(found, paddle.concat(contexts), [q, kv, bias])


def test_the_dropout_has_its_probability_and_other_seeds_drop_other_elements():
    places = np.arange(1_000_000)
    one = dropout_factors(12345 << 32 | 678, places, DROPOUT) == 0
    other = dropout_factors(12346 << 32 | 678, places, DROPOUT) == 0
    assert abs(one.mean() - DROPOUT) < 0.002
    assert abs((one & other).mean() - DROPOUT**2) < 0.002
    square = one.reshape(1000, 1000)
    assert abs(square.mean(0) - DROPOUT).max() < 0.08
    assert abs(square.mean(1) - DROPOUT).max() < 0.08


def test_dropout_draws_its_seed_from_paddles_generator_and_no_dropout_draws_none():
    paddle.seed(5)
    seed = cpu_kernels._draw_seed(DROPOUT)
    assert cpu_kernels._draw_seed(0.0) == 0
    following = cpu_kernels._draw_seed(DROPOUT)
    paddle.seed(5)
    assert [cpu_kernels._draw_seed(DROPOUT), cpu_kernels._draw_seed(DROPOUT)] == [seed, following]
    assert seed != following and seed > 2**32


@pytest.mark.parametrize("place", ["q", "kv", "x"])
def test_a_value_that_is_not_finite_gives_nan_wherever_it_comes_in(place):
    groups = [(1, 3)]
    bias = drawn(24)
    if place == "q":
        q = paddle.full([3, 8], np.nan)
        assert cpu_kernels.attend(q, drawn(3, 16), bias, groups, 2, False, 0.0).isnan().all()
    elif place == "kv":
        kv = paddle.full([3, 16], np.inf)
        assert cpu_kernels.attend(drawn(3, 8), kv, bias, groups, 2, False, 0.0).isnan().all()
    else:
        values = drawn(2, 8).numpy()
        values[0, 3] = np.nan
        x = paddle.to_tensor(values)
        assert cpu_kernels.bias_gelu(x, drawn(8)).isnan().sum() == 1
        normed = cpu_kernels.add_norm(x, drawn(8), drawn(2, 8), paddle.nn.LayerNorm(8), 0.0)
        assert normed.isnan().sum() == 8


def test_an_input_that_needs_no_gradient_gets_none():
    x = drawn(4, 8)
    bias = drawn(8)
    bias.stop_gradient = True
    cpu_kernels.bias_gelu(x, bias).sum().backward()
    assert x.grad is not None and bias.grad is None


def test_a_step_has_the_same_bytes_each_time(random_rows):
    config = ErnieConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=32,
    )
    model = Ernie(config, with_pooler=False)
    weights = initial_weights(config, 1)
    model.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})

    def gradients() -> bytes:
        paddle.seed(5)
        model.clear_gradients()
        model(pack(random_rows(40))).square().sum().backward()
        return b"".join(parameter.grad.numpy().tobytes() for parameter in model.parameters())

    assert gradients() == gradients()


def test_kernels_take_float32_alone():
    assert cpu_kernels.usable(drawn(2, 2))
    assert not cpu_kernels.usable(drawn(2, 2).astype("float64"))
