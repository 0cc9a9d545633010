"""Rates are above 0, and the operations are those of the dense products."""

import pytest

from rocketqa.doctor.findings import OK
from rocketqa.doctor.rates import config_of_device, operations_a_token, products, seconds_of
from rocketqa.encoder.config import ErnieConfig


def test_a_layer_has_twelve_times_the_square_of_its_size_in_products():
    config = ErnieConfig(hidden_size=768, num_hidden_layers=2, intermediate_size=3072)
    assert operations_a_token(config) == 24 * 768**2 + 4 * 768**2


def test_the_rate_of_products_is_told():
    verdict, text = products()
    assert verdict == OK
    assert text.startswith("float32 ") and text.endswith(" TFLOP/s")


def test_the_median_leaves_out_the_first_round():
    import paddle

    rounds = []

    def work() -> paddle.Tensor:
        rounds.append(1)
        return paddle.ones([1])

    assert seconds_of(work) == pytest.approx(0, abs=1)
    assert len(rounds) == 4


def test_a_cpu_has_a_small_model():
    assert config_of_device().hidden_size == 256
