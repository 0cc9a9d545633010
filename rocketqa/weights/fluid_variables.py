"""Paddle's old binary form of a tensor, one file a variable, as `fluid.io.save_persistables` wrote and reads it.

A file is `HEADER`, a protobuf `TensorDesc` (type, dimensions) and the values. Read here and not by Paddle, which trusts
the lengths in it.
"""

import math
import struct
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError

HEADER = struct.Struct(
    "<IQIi"
)  # version 0, levels of sequences 0, version 0, bytes of the TensorDesc
LONGEST_DESCRIPTION = 64
TYPE, DIMENSION, FLOAT32 = 0x08, 0x10, 5  # protobuf tags and a value of TensorDesc


def read_variable(path: Path) -> np.ndarray:
    """Returns the float32 values of a variable's file. Raises DataError where it is another thing, or not whole."""
    content = path.read_bytes()
    if len(content) < HEADER.size:
        raise DataError(f"{path}: expected a variable, got {len(content)} bytes")
    *versions, length = HEADER.unpack_from(content)
    if any(versions) or not 0 < length <= LONGEST_DESCRIPTION:
        raise DataError(
            f"{path}: expected a variable of version 0 without sequences, got another file"
        )
    shape = _shape(content[HEADER.size : HEADER.size + length], path)
    begin = HEADER.size + length
    expected = 4 * math.prod(shape)
    if len(content) - begin != expected:
        raise DataError(
            f"{path}: expected {expected} bytes for values of shape {shape}, got {len(content) - begin}"
        )
    return np.frombuffer(content, "<f4", offset=begin).reshape(shape).copy()


def _shape(description: bytes, path: Path) -> list[int]:
    """Returns the dimensions that a TensorDesc of float32 has: a tag and a varint for each field."""
    fields, place = [], 0
    while place < len(description):
        tag, value, shift, byte, place = description[place], 0, 0, 0x80, place + 1
        while byte & 0x80 and place < len(description):
            byte = description[place]
            value, shift, place = value | (byte & 0x7F) << shift, shift + 7, place + 1
        fields.append((tag, value))
    dimensions = [value for tag, value in fields if tag == DIMENSION]
    if (
        fields[:1] != [(TYPE, FLOAT32)]
        or len(fields) != 1 + len(dimensions)
        or not all(0 < value < 1 << 31 for value in dimensions)
        or not dimensions
    ):
        raise DataError(
            f"{path}: expected float32 values with their dimensions, got another description"
        )
    return dimensions


def variable_bytes(values: np.ndarray) -> bytes:
    """Returns the file of a variable."""
    description = bytes((TYPE, FLOAT32))
    for dimension in values.shape:
        description += bytes((DIMENSION,))
        while dimension > 0x7F:
            description, dimension = description + bytes((dimension & 0x7F | 0x80,)), dimension >> 7
        description += bytes((dimension,))
    return (
        HEADER.pack(0, 0, 0, len(description))
        + description
        + values.astype("<f4", order="C").tobytes()
    )
