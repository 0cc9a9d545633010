"""The number types that are really computed in are told, and wrong results are noticed."""

import numpy as np
import paddle
import pytest
from gpu_operators import layer_norm_of_mixed_types
from pretended_gpus import A100, V100, pretend_gpus

from rocketqa.doctor import numerics
from rocketqa.doctor.findings import OK, WRONG
from rocketqa.doctor.numerics import activations_of, is_computed_in, precisions, step_of
from rocketqa.doctor.small_model import chunk_of, computing, distance, forward_backward, small_model
from rocketqa.inference import engine


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_have_the_type_that_the_model_computes_in(dtype):
    with computing("cpu", dtype):
        model = small_model(dtype)
        with activations_of(model) as dtypes:
            forward_backward(model, chunk_of(range(1)), dtype)
    assert dtypes == {dtype}


def test_a_precision_that_the_device_ignores_is_not_taken_for_real():
    dtypes, _ = step_of("float16")  # Paddle's autocast does nothing on a CPU
    assert dtypes == {"float32"}
    assert not is_computed_in("float16", dtypes)
    assert is_computed_in("float16", {"float16", "float32"})
    assert not is_computed_in("float32", {"float16", "float32"})


def test_a_gpu_trains_in_what_its_generation_has(monkeypatch):
    assert precisions() == ["float32"]
    pretend_gpus(monkeypatch, V100)
    assert precisions() == ["float32", "float16"]
    pretend_gpus(monkeypatch, A100)
    assert precisions() == ["float32", "float16", "bfloat16"]


def test_a_gpu_that_ignores_half_precision_is_wrong(monkeypatch):
    pretend_gpus(monkeypatch, A100)
    verdict, text = numerics.training_precision()
    assert verdict == WRONG
    assert "float16: activations float32" in text and "bfloat16: activations float32" in text
    layer_norm_of_mixed_types(monkeypatch)
    monkeypatch.setattr(engine, "REDUCED_ON_GPU", "float64")
    numerics.reduced_engine.cache_clear()
    verdict, text = numerics.encoding()
    numerics.reduced_engine.cache_clear()
    assert verdict == WRONG
    assert text.endswith("(computed in reduced)")


def test_the_path_of_attention_is_told_for_each_precision(monkeypatch):
    pretend_gpus(monkeypatch, A100)
    verdict, text = numerics.attention()
    assert verdict == OK
    assert [part.split(":")[0] for part in text.split("; ")] == precisions()


@pytest.mark.parametrize("bits, verdict", [(24, OK), (11, OK), (8, WRONG)])
def test_products_of_fewer_bits_are_told_from_float32(monkeypatch, bits, verdict):
    numerics.float32_products.cache_clear()
    multiply = paddle.matmul

    def rounding(a, b):
        return multiply(rounded(a, bits), rounded(b, bits))

    monkeypatch.setattr(paddle, "matmul", rounding)
    found, text = numerics.products()
    numerics.float32_products.cache_clear()
    assert found == verdict
    assert ("TF32" in text) == (bits == 11) or verdict == WRONG


def rounded(tensor: paddle.Tensor, bits: int) -> paddle.Tensor:
    """Returns the values with so many bits."""
    fractions, exponents = np.frexp(tensor.numpy())
    values = np.ldexp(np.round(fractions * 2.0**bits) / 2.0**bits, exponents)
    return paddle.to_tensor(values.astype(np.float32))


def test_an_overflow_that_is_not_noticed_is_wrong(monkeypatch):
    assert numerics.loss_scale()[0] == OK
    monkeypatch.setattr(numerics, "OVERFLOW", 2.0)
    verdict, text = numerics.loss_scale()
    assert verdict == WRONG and "a lower scale after an overflow" in text


def test_the_distance_of_other_or_broken_values_is_infinite():
    exact = {"a": np.array([3.0, 4.0])}
    assert distance({"a": np.array([3.0, 4.5])}, exact) == pytest.approx(0.1)
    assert distance({}, exact) == np.inf
    assert distance({"a": np.array([3.0, np.nan])}, exact) == np.inf
