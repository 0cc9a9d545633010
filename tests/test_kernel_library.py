"""The kernels of the encoders are called by name; without them Paddle's operators are used."""

import ctypes

import paddle
import pytest

from rocketqa.encoder import cpu_kernels
from rocketqa.encoder.kernel_library import call_kernel, library

needs_compiler = pytest.mark.skipif(library() is None, reason="no C compiler here")


def test_without_a_compiler_a_line_says_so_and_paddles_operators_work(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    library.cache_clear()
    try:
        assert not cpu_kernels.usable(paddle.ones([2, 2]))
        assert "Paddle's own operators take about twice as long" in capsys.readouterr().err
        with pytest.raises(RuntimeError, match="column_sums: expected compiled kernels, got none"):
            call_kernel("column_sums")
    finally:
        library.cache_clear()


@needs_compiler
def test_a_kernel_is_called_with_tensors_and_numbers():
    x = paddle.to_tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    total = paddle.empty([2])
    call_kernel("column_sums", x, 3, 2, total)
    assert total.tolist() == [9.0, 12.0]


@needs_compiler
def test_a_structure_is_passed_by_reference():
    class OneFloat(ctypes.Structure):
        _fields_ = [("value", ctypes.c_float)]

    x = OneFloat(1.5)
    total = paddle.empty([1])
    call_kernel("column_sums", x, 1, 1, total)
    assert total.tolist() == [1.5]
