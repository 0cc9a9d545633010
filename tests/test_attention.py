"""The path of attention follows device and precision; a GPU has few operators to start."""

import numpy as np
import paddle
import pytest
from gpu_operators import count_flash_attention_as_one_operator
from pretended_gpus import A100, V100, pretend_autocast, pretend_gpus
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_ernie

from rocketqa.benchmark.operator_calls import count_operator_calls
from rocketqa.benchmark.training_step import take_step
from rocketqa.cross_batch_negatives import DualChunk
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.attention import attention_path, rows_for_attention
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.kernel_library import library
from rocketqa.encoder.packing import pack
from rocketqa.training.optimizer import adam

needs_paddle_3 = pytest.mark.skipif(
    not hasattr(paddle, "device_guard"), reason="on GPUs, Paddle 3.3 or later is needed"
)
CONFIG = TINY_CONFIG._replace(
    hidden_size=32,  # heads of 8, the smallest that flash attention takes
    attention_probs_dropout_prob=0.0,
    hidden_dropout_prob=0.0,
)


@pytest.fixture
def float64():
    """In float64 the CPU kernels compute nothing, so all operators are Paddle's."""
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def test_a_cpu_computes_float32_by_kernels_and_the_rest_by_equal_groups():
    hidden = paddle.ones([2, 4])
    by_kernels = "CPU kernels" if library() is not None else "equal groups"
    assert attention_path(hidden, 64) == by_kernels
    assert attention_path(hidden.astype("float64"), 64) == "equal groups"


@needs_paddle_3
@pytest.mark.parametrize(
    "capability, precision, expected",
    [
        (A100, "float16", "flash"),
        (A100, None, "padded groups"),
        (V100, "float16", "padded groups"),
        (V100, None, "padded groups"),
    ],
)
def test_a_gpu_takes_flash_attention_in_half_precision_since_ampere(
    capability, precision, expected, monkeypatch
):
    pretend_gpus(monkeypatch, capability)
    if precision:
        pretend_autocast(monkeypatch, precision)
    hidden = paddle.ones([5, 64])
    assert attention_path(hidden, 64) == expected
    rows = rows_for_attention(pack(rows_of_lengths(2, 3)), hidden, 64)
    assert type(rows).__name__ == {"flash": "FlashRows", "padded groups": "PaddedGroups"}[expected]


@pytest.mark.parametrize("representation", ["first", "mean"])
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-6)])
def test_an_old_gpu_computes_the_vectors_and_gradients_of_the_packed_model(
    representation, dtype, tolerance, monkeypatch
):
    paddle.set_default_dtype(dtype)
    model = tiny_ernie(CONFIG._replace(representation=representation))
    packed = pack(rows_of_lengths(*range(1, 40), 7, 7, 40))
    outputs = []
    for device in ("cpu", "gpu"):
        if device == "gpu":
            pretend_gpus(monkeypatch, V100)
        vectors = model(packed)
        model.clear_gradients()
        vectors.square().mean().backward()
        parameters = [parameter.grad.numpy() for parameter in model.parameters()]
        outputs.append([vectors.numpy(), *parameters])
    paddle.set_default_dtype("float32")
    for expected, found in zip(*outputs):
        largest = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


def calls_of_a_step(config: ErnieConfig, query_lengths, passage_lengths) -> int:
    """Returns the operator calls of a training step, update included."""
    model = DualEncoder(config)
    model.query_encoder.set_state_dict(tiny_ernie(config).state_dict())
    model.passage_encoder.set_state_dict(tiny_ernie(config).state_dict())
    model.train()
    optimizer = adam(model, weight_decay=0.0)
    optimizer.set_lr(1e-5)
    chunk = DualChunk(
        pack(rows_of_lengths(*query_lengths)), pack(rows_of_lengths(*passage_lengths)), None
    )
    take_step(model, optimizer, [chunk])
    return count_operator_calls(lambda: take_step(model, optimizer, [chunk]))


@needs_paddle_3
@pytest.mark.parametrize("representation", ["first", "mean"])
@pytest.mark.parametrize("capability, precision", [(A100, "float16"), (V100, None)])
def test_on_a_gpu_the_operators_of_a_step_are_as_many_for_any_number_of_lengths(
    representation, capability, precision, float64, monkeypatch
):
    config = CONFIG._replace(representation=representation)
    pretend_gpus(monkeypatch, capability)
    if precision:
        pretend_autocast(monkeypatch, precision)
    count_flash_attention_as_one_operator(monkeypatch)
    few = calls_of_a_step(config, range(4, 33, 4), range(4, 33, 4))
    many = calls_of_a_step(config, range(1, 33), range(1, 33))
    assert many == few
