"""The kernels of an encoder layer equal Paddle's operators, dropout included: a numpy twin tells what is dropped."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie, initial_weights
from rocketqa.encoder.packing import pack

DROPPED = 0.3
pytestmark = pytest.mark.skipif(cpu_kernels.library() is None, reason="no C compiler here")


def kept(seed: int, places: np.ndarray) -> np.ndarray:
    """What an element is multiplied by: 0, or what makes up for the others."""
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EB % 2**64
    seed ^= seed >> 31
    with np.errstate(over="ignore"):
        bits = places.astype(np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed & 0xFFFFFFFF)
        bits = (bits ^ bits >> np.uint32(16)) * np.uint32(0x85EBCA6B) + np.uint32(seed >> 32)
        bits = (bits ^ bits >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    return np.where(bits < np.uint32(DROPPED * 2**32), 0, 1 / (1 - DROPPED)).astype(np.float32)


def drawn(*shape: int, seed: int = 0) -> paddle.Tensor:
    tensor = paddle.to_tensor(np.random.default_rng(seed).normal(size=shape).astype(np.float32))
    tensor.stop_gradient = False
    return tensor


@pytest.fixture
def seeds(monkeypatch):
    """What each dropout was seeded with."""
    noted = []

    def noting(p, seed=cpu_kernels._seed):
        noted.append(seed(p))
        return noted[-1]

    monkeypatch.setattr(cpu_kernels, "_seed", noting)
    return noted


def assert_the_same(found, expected, inputs: list[paddle.Tensor]):
    """Equal outputs, and equal gradients of what went in: within 5e-6 of the largest value (sums of up to 512)."""
    direction = drawn(*found.shape, seed=9)
    of = [paddle.grad((output * direction).sum(), inputs) for output in (found, expected)]
    for one, other in [(found, expected), *zip(*of)]:
        bound = 5e-6 * max(1.0, float(other.abs().max()))
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=bound)


@pytest.mark.parametrize("tokens, size", [(1, 16), (37, 24), (300, 40)])
def test_add_and_norm_equal_paddles_with_the_same_dropped(tokens, size, seeds):
    x, residual, bias = drawn(tokens, size), drawn(tokens, size, seed=1), drawn(size, seed=2)
    norm = paddle.nn.LayerNorm(size, epsilon=1e-5)
    norm.weight.set_value(drawn(size, seed=3))
    norm.bias.set_value(drawn(size, seed=4))
    found = cpu_kernels.add_norm(x, bias, residual, norm, DROPPED)
    mask = paddle.to_tensor(kept(seeds[0], np.arange(tokens * size)).reshape(tokens, size))
    assert_the_same(
        found, norm(residual + (x + bias) * mask), [x, bias, residual, norm.weight, norm.bias]
    )


def test_gelu_equals_paddles_over_all_that_a_layer_makes():
    x, bias = paddle.linspace(-12, 12, 40_000).reshape([1000, 40]), drawn(40)
    x.stop_gradient = False
    assert_the_same(cpu_kernels.bias_gelu(x, bias), F.gelu(x + bias), [x, bias])


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
def test_attention_equals_paddles_row_by_row_with_the_same_dropped(groups, size, first_only, seeds):
    heads = 2
    tokens, rows = sum(n * length for n, length in groups), sum(n for n, _ in groups)
    q = drawn(rows if first_only else tokens, heads * size)
    kv, bias = drawn(tokens, 2 * heads * size, seed=1), drawn(3 * heads * size, seed=2)
    found = cpu_kernels.attend(q, kv, bias, groups, heads, first_only, DROPPED)
    bias_q, bias_k, bias_v = bias.split(3)
    contexts, row, begin = [], 0, 0
    for length in [length for n, length in groups for _ in range(n)]:
        own = slice(row, row + 1) if first_only else slice(begin, begin + length)
        k, v = kv[begin : begin + length].split(2, axis=1)
        by_head = [
            part.reshape([part.shape[0], heads, size]).transpose([1, 0, 2])
            for part in (q[own] + bias_q, k + bias_k, v + bias_v)
        ]
        weights = F.softmax(paddle.matmul(by_head[0], by_head[1], transpose_y=True) / size**0.5)
        places = np.arange(weights.shape[1] * length)
        mask = np.stack(
            [
                kept((seeds[0] + 0x9E3779B97F4A7C15 * (row * heads + head + 1)) % 2**64, places)
                for head in range(heads)
            ]
        )
        weights = weights * paddle.to_tensor(mask.reshape(weights.shape))
        contexts.append(paddle.matmul(weights, by_head[2]).transpose([1, 0, 2]).flatten(1))
        row, begin = row + 1, begin + length
    assert_the_same(found, paddle.concat(contexts), [q, kv, bias])


def test_as_many_are_dropped_as_told_and_others_with_another_seed():
    places = np.arange(1_000_000)
    one, other = kept(12345 << 32 | 678, places) == 0, kept(12346 << 32 | 678, places) == 0
    assert abs(one.mean() - DROPPED) < 0.002 and abs((one & other).mean() - DROPPED**2) < 0.002
    rows = one.reshape(1000, 1000)
    assert abs(rows.mean(0) - DROPPED).max() < 0.08 and abs(rows.mean(1) - DROPPED).max() < 0.08


def test_a_value_that_is_none_stays_none_wherever_it_comes_in():
    rows = [(1, 3)]
    q, kv, bias = paddle.full([3, 8], np.nan), drawn(3, 16), drawn(24)
    assert cpu_kernels.attend(q, kv, bias, rows, 2, False, 0.0).isnan().all()
    assert (
        cpu_kernels.attend(drawn(3, 8), paddle.full([3, 16], np.inf), bias, rows, 2, False, 0.0)
        .isnan()
        .all()
    )
    x = drawn(2, 8)
    x = paddle.where(paddle.arange(16).reshape([2, 8]) == 3, paddle.full_like(x, np.nan), x)
    assert cpu_kernels.bias_gelu(x, drawn(8)).isnan().sum() == 1
    assert (
        cpu_kernels.add_norm(x, drawn(8), drawn(2, 8), paddle.nn.LayerNorm(8), 0.0).isnan().sum()
        == 8
    )


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
    model.set_state_dict(
        {name: paddle.to_tensor(value) for name, value in initial_weights(config, 1).items()}
    )

    def gradients():
        paddle.seed(5)
        model.clear_gradients()
        model(pack(random_rows(40))).square().sum().backward()
        return b"".join(parameter.grad.numpy().tobytes() for parameter in model.parameters())

    assert gradients() == gradients()


def test_without_a_compiler_a_line_says_so_and_paddles_operators_work(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    cpu_kernels.library.cache_clear()
    try:
        assert not cpu_kernels.usable(drawn(2, 2))
        assert capsys.readouterr().err.count("\n") == 1 and not list(
            (tmp_path / "rocketqa").iterdir()
        )
    finally:
        cpu_kernels.library.cache_clear()
