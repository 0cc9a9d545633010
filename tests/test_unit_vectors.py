"""Vectors of length 1: by hand, against numpy in float64, and at the ends of float32."""

import numpy as np
import paddle
import pytest

from rocketqa.encoder.unit_vectors import unit_arrays, unit_vectors


def with_gradient(rows, direction):
    """Returns the unit vectors of rows, and the gradient of their product with a direction."""
    vectors = paddle.to_tensor(rows, stop_gradient=False)
    units = unit_vectors(vectors)
    (units * paddle.to_tensor(direction)).sum().backward()
    return units.numpy(), vectors.grad.numpy()


def test_a_row_has_length_1_and_its_direction():
    found = unit_vectors(paddle.to_tensor([[3.0, 4.0], [0.0, -2.0]]))
    np.testing.assert_allclose(found.numpy(), [[0.6, 0.8], [0.0, -1.0]], rtol=1e-6)


def test_the_gradient_is_that_of_a_division_by_the_length():
    drawing = np.random.default_rng(3)
    rows = drawing.normal(size=(4, 5))
    direction = drawing.normal(size=(4, 5))
    units, gradient = with_gradient(rows, direction)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    along = (direction * rows).sum(axis=1, keepdims=True) / lengths
    np.testing.assert_allclose(units, rows / lengths, rtol=1e-12)
    np.testing.assert_allclose(
        gradient, (direction - along * rows / lengths) / lengths, rtol=0, atol=1e-12
    )


def test_zeros_stay_and_nothing_overflows_or_vanishes():
    rows = np.array([[0, 0], [1e30, 1e30], [1e-11, 0]], np.float32)
    units, gradient = with_gradient(rows, np.ones((3, 2), np.float32))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(units, [[0, 0], [half, half], [1, 0]], rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_a_vector_that_is_not_finite_does_not_become_finite():
    units = unit_vectors(paddle.to_tensor([[np.inf, 1.0], [np.nan, 1.0]]))
    assert np.isnan(units.numpy()[:, 0]).all()


def test_half_precision_is_normalised_in_float32():
    rows = paddle.to_tensor([[300.0, 400.0]], dtype="float32").astype("bfloat16")
    units = unit_vectors(rows)
    assert units.dtype == paddle.float32
    np.testing.assert_allclose((units * units).sum(axis=1).numpy(), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_get_length_1_as_tensors_do(dtype):
    rows = [[3.0, 4.0], [0.0, 0.0], [1e-20, 0.0], [1e30, -1e30]]
    vectors = np.array(rows, dtype)
    units = unit_arrays(vectors)
    assert units.dtype == dtype
    expected = unit_vectors(paddle.to_tensor(vectors)).numpy()
    np.testing.assert_allclose(units, expected, rtol=1e-6, atol=0)
