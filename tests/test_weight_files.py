"""Weights that others wrote: read to the last bit, and broken files refused in one line."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from rocketqa.files.errors import DataError
from rocketqa.weights.weight_files import read_file, read_weights

WHOLE = save({"a": np.arange(6, dtype=np.float32), "b": np.arange(4, dtype=np.float32)})


def with_header(**changes) -> bytes:
    (size,) = struct.unpack("<Q", WHOLE[:8])
    header = json.loads(WHOLE[8 : 8 + size])
    header["a"] |= changes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + WHOLE[8 + size :]


def test_every_float_of_two_bytes_is_read_exactly(tmp_path):
    bits = np.arange(1 << 16, dtype="<u2")
    finite = bits[(bits & 0x7F80) != 0x7F80]
    header = json.dumps(
        {"b": {"dtype": "BF16", "shape": [len(finite)], "data_offsets": [0, 2 * len(finite)]}}
    )
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + finite.tobytes())
    found = read_file(path)["b"]
    assert found.dtype == np.float32
    for place in (1, 127, 128, 16256, len(finite) - 1):
        sign, exponent, part = (
            int(finite[place]) >> 15,
            int(finite[place]) >> 7 & 255,
            int(finite[place]) & 127,
        )
        expected = (part / 128 + (exponent > 0)) * 2.0 ** (max(exponent, 1) - 127) * (-1) ** sign
        assert found[place] == expected
    save_file({"h": np.array([1 / 3, 65504, 6e-8], np.float16)}, path)
    assert (read_file(path)["h"] == np.array([1 / 3, 65504, 6e-8], np.float16)).all()


def test_weights_in_several_files_are_one(tmp_path):
    save_file({"a": np.ones(2, np.float32)}, tmp_path / "model-1.safetensors")
    save_file({"b": np.zeros(3, np.float32)}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    assert {name: value.shape for name, value in read_weights(tmp_path).items()} == {
        "a": (2,),
        "b": (3,),
    }
    for broken in (
        '{"weight_map": {"c": "model-1.safetensors"}}',
        '{"weight_map": {"a": "../model-1.safetensors"}}',
        '{"weight_map": {"a": "model-3.safetensors"}}',
        '{"weight_map": {"a": 1}}',
        "[]",
        "{",
        "{}",
        '{"weight_map": {"a": "model-1.safetensors"}, "more": ' + "[" * 100_000,
    ):
        index.write_text(broken)
        with pytest.raises(DataError):
            read_weights(tmp_path)


def test_a_parameter_that_the_index_leaves_out_is_refused(tmp_path):
    save_file(
        {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, tmp_path / "model-1.safetensors"
    )
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    with pytest.raises(DataError) as error:
        read_weights(tmp_path)
    assert str(error.value) == f"{index}: expected every parameter of its files, got none of ['b']"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:5],
        WHOLE[:60],
        WHOLE[:-1],
        WHOLE + b"x",
        struct.pack("<Q", 1 << 40) + WHOLE[8:],
        struct.pack("<Q", len(WHOLE)) + WHOLE[8:],
        struct.pack("<Q", 2) + b"\xff\xfe",
        struct.pack("<Q", 2) + b"[]",
        with_header(shape=[7]),
        with_header(shape=[-6]),
        with_header(dtype="F64"),
        with_header(dtype="F31"),
        with_header(data_offsets=[0, 30]),
        with_header(data_offsets=[8, 32]),
        with_header(data_offsets=[24, 0]),
        with_header(shape=[1 << 62, 6]),
    ],
)
def test_broken_safetensors_are_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_weights(tmp_path)
    assert str(error.value).startswith(f"{path}: expected ") and "\n" not in str(error.value)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"expected weights \(model.safetensors, pytorch_model.bin, "
    ):
        read_weights(tmp_path)
