"""A variable's file is read and written as Paddle does, and every other file is refused."""

import subprocess
import sys

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.weights.fluid_variables import read_variable, variable_bytes

# What paddle.static.io.save_vars of Paddle 2.6.2 wrote of a [3, 4] parameter that counts from 0.
PADDLE_WROTE = (
    bytes.fromhex("0000000000000000000000000000000006000000080510031004")
    + np.arange(12, dtype="<f4").tobytes()
)
HEADER = b"\0" * 16  # without the length of the description
SAVES = """
import sys, numpy as np, paddle
paddle.enable_static()
with paddle.static.program_guard(paddle.static.Program(), paddle.static.Program()):
    for name, shape in (("word_embedding", [300, 8]), ("pooled_fc.b_0", [8])):
        normal = paddle.nn.initializer.Normal()
        paddle.static.create_parameter(shape, "float32", name=name, default_initializer=normal)
    executor = paddle.static.Executor(paddle.CPUPlace())
    executor.run(paddle.static.default_startup_program())
    program = paddle.static.default_main_program()
    paddle.static.io.save_vars(executor, sys.argv[1], program, predicate=lambda _: True)
"""


def test_a_variable_is_read_and_written_as_paddle_does(tmp_path):
    (tmp_path / "w").write_bytes(PADDLE_WROTE)
    value = read_variable(tmp_path / "w")
    assert value.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert variable_bytes(value) == PADDLE_WROTE


def test_variables_that_this_paddle_writes_are_read_and_written_back_to_the_byte(tmp_path):
    subprocess.run([sys.executable, "-c", SAVES, str(tmp_path)], check=True, capture_output=True)
    assert read_variable(tmp_path / "word_embedding").shape == (300, 8)
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    for path in files:
        assert variable_bytes(read_variable(path)) == path.read_bytes()


@pytest.mark.parametrize("dimension", [1, 127, 128, 16383, 16384, 70000])
def test_a_dimension_of_any_size_survives_writing_and_reading(tmp_path, dimension):
    (tmp_path / "w").write_bytes(variable_bytes(np.ones((dimension, 1), np.float32)))
    assert read_variable(tmp_path / "w").shape == (dimension, 1)


@pytest.mark.parametrize(
    "hostile, expected",
    [
        (b"", "expected a variable, got 0 bytes"),
        (PADDLE_WROTE[:19], "expected a variable, got 19 bytes"),
        (PADDLE_WROTE[:20], "expected float32 values"),
        (PADDLE_WROTE[:-1], r"expected 48 bytes for values of shape \[3, 4\], got 47"),
        (PADDLE_WROTE + b"\0", "expected 48 bytes .* got 49"),
        (b"\1" + PADDLE_WROTE[1:], "version 0"),
        (PADDLE_WROTE[:4] + b"\1" + PADDLE_WROTE[5:], "without sequences"),
        (PADDLE_WROTE[:16] + b"\xff\xff\xff\x7f" + PADDLE_WROTE[20:], "got another file"),
        (PADDLE_WROTE[:16] + b"\xff\xff\xff\xff" + PADDLE_WROTE[20:], "got another file"),
        (PADDLE_WROTE[:21] + b"\6" + PADDLE_WROTE[22:], "expected float32"),
        (PADDLE_WROTE[:22] + b"\x18" + PADDLE_WROTE[23:], "expected float32"),
        (PADDLE_WROTE[:23] + b"\0" + PADDLE_WROTE[24:], "with their dimensions"),
        (
            HEADER + b"\x0e\0\0\0\x08\5" + b"\x10" + b"\xff" * 10 + b"\x01" + b"\0" * 8,
            "with their dimensions",
        ),
        (
            HEADER + b"\x0e\0\0\0\x08\5" + 2 * b"\x10\xff\xff\xff\xff\x07" + b"\0" * 8,
            "expected 18446744056529682436",
        ),
        (HEADER + b"\2\0\0\0\x08\5", "with their dimensions"),
    ],
)
def test_a_file_that_is_no_variable_is_refused_before_its_lengths_are_believed(
    tmp_path, hostile, expected
):
    (tmp_path / "w").write_bytes(hostile)
    with pytest.raises(DataError, match=f"w: .*{expected}"):
        read_variable(tmp_path / "w")
