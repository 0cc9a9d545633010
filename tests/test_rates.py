"""Rates are above 0, and medians of rounds."""

import paddle
import pytest
from gpu_operators import layer_norm_of_mixed_types, multiply_half_precision
from pretended_gpus import A100, pretend_gpus

from rocketqa.doctor import rates
from rocketqa.doctor.findings import OK
from rocketqa.doctor.rates import products, seconds_of
from rocketqa.inference import engine


def test_the_rate_of_products_is_told():
    verdict, text = products()
    assert verdict == OK
    assert text.startswith("float32 ") and text.endswith(" TFLOP/s")


def test_the_median_leaves_out_the_first_round():
    rounds = []

    def work() -> paddle.Tensor:
        rounds.append(1)
        return paddle.ones([1])

    assert seconds_of(work) == pytest.approx(0, abs=1)
    assert len(rounds) == 4


@pytest.fixture
def small_gpu(monkeypatch):
    """A GPU that is none, with little work."""
    rates.product_rate.cache_clear()
    pretend_gpus(monkeypatch, A100)
    multiply_half_precision(monkeypatch)
    layer_norm_of_mixed_types(monkeypatch)
    monkeypatch.setattr(engine, "REDUCED_ON_GPU", "float64")  # a CPU has few operators of float16
    monkeypatch.setattr(rates, "OF_GPU", rates.OF_GPU._replace(matrix=32, rows=8, hidden_size=64))
    yield
    rates.product_rate.cache_clear()


def test_a_gpu_is_measured_in_half_precision(small_gpu):
    assert " TFLOP/s, float16 " in products()[1]
    for check in (rates.encoding_rate, rates.training_rate):
        verdict, text = check()
        assert verdict == OK
        assert text.endswith("% of the products' rate (6 layers of 64 in float16)")
