"""Floats of two bytes become the float32 of the same value, bit for bit."""

import numpy as np
import pytest

from rocketqa.weights.number_types import NUMPY_TYPES, with_wide_floats


def test_a_bfloat16_is_the_upper_half_of_a_float32():
    values = np.array([1.5, -2, 3.0e38, 1e-40], np.float32)
    upper_halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = with_wide_floats(upper_halves, "BF16")
    assert found.dtype == np.float32
    assert found[:2].tolist() == [1.5, -2]
    assert ((found.view(np.uint32) >> 16) == upper_halves).all()


def test_a_float16_keeps_its_value():
    values = np.array([1 / 3, 65504, 6e-8, -0.0], np.float16)
    found = with_wide_floats(values, "F16")
    assert found.dtype == np.float32
    assert (found == values).all() and np.signbit(found[3])


@pytest.mark.parametrize("number_type", [name for name in NUMPY_TYPES if name[-2:] != "16"])
def test_other_numbers_stay_as_they_are(number_type):
    values = np.array([0, 1], NUMPY_TYPES[number_type])
    assert with_wide_floats(values, number_type) is values
