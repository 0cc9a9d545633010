"""Paddle's old binary form of a tensor, one file a variable: `fluid.io.save_persistables`.

    HEADER         version 0, sequence levels 0, version 0, bytes of the description
    description    a protobuf `TensorDesc`: the number type, then each dimension
    values         float32, little-endian, row by row

These files are read here and not by Paddle, because Paddle trusts the lengths in them.
"""

import math
import struct
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError

HEADER = struct.Struct("<IQIi")
LONGEST_DESCRIPTION = 64  # bytes
TYPE_TAG, DIMENSION_TAG = 0x08, 0x10  # protobuf tags of TensorDesc
FLOAT32 = 5  # the value of TYPE_TAG
MORE_FOLLOWS = 0x80  # in a byte of a varint: another byte follows
DIGIT_BITS = 0x7F  # in a byte of a varint: 7 bits of the number
LARGEST_DIMENSION = (1 << 31) - 1


def read_variable(path: Path) -> np.ndarray:
    """Returns the float32 values of a variable's file.

    Raises DataError where it is another file, or cut off.
    """
    content = path.read_bytes()
    if len(content) < HEADER.size:
        raise DataError(f"{path}: expected a variable, got {len(content)} bytes")
    *versions, length = HEADER.unpack_from(content)
    if any(versions) or not 0 < length <= LONGEST_DESCRIPTION:
        raise DataError(
            f"{path}: expected a variable of version 0 without sequences, got another file"
        )
    values_begin = HEADER.size + length
    shape = _shape_of(content[HEADER.size : values_begin], path)
    expected = 4 * math.prod(shape)
    got = len(content) - values_begin
    if got != expected:
        raise DataError(f"{path}: expected {expected} bytes for values of shape {shape}, got {got}")
    return np.frombuffer(content, "<f4", offset=values_begin).reshape(shape).copy()


def _shape_of(description: bytes, path: Path) -> list[int]:
    """Returns the dimensions in a TensorDesc of float32.

    Raises DataError on any other description.
    """
    fields = _fields_of(description)
    dimensions = [value for tag, value in fields if tag == DIMENSION_TAG]
    is_float32 = fields[:1] == [(TYPE_TAG, FLOAT32)]
    has_other_fields = len(fields) != 1 + len(dimensions)
    are_sizes = all(0 < value <= LARGEST_DIMENSION for value in dimensions)
    if not is_float32 or has_other_fields or not dimensions or not are_sizes:
        raise DataError(
            f"{path}: expected float32 values with their dimensions, got another description"
        )
    return dimensions


def _fields_of(description: bytes) -> list[tuple[int, int]]:
    """Returns the (tag, value) pairs of a protobuf message.

    Its tags have one byte and its values are varints: 7 bits a byte, the lowest first. A value that
    is cut off has the bits that are there.
    """
    fields = []
    place = 0
    while place < len(description):
        tag = description[place]
        place += 1
        value = 0
        shift = 0
        byte = MORE_FOLLOWS
        while byte & MORE_FOLLOWS and place < len(description):
            byte = description[place]
            place += 1
            value |= (byte & DIGIT_BITS) << shift
            shift += 7
        fields.append((tag, value))
    return fields


def variable_bytes(values: np.ndarray) -> bytes:
    """Returns the content of a variable's file, float32."""
    description = bytes((TYPE_TAG, FLOAT32))
    for dimension in values.shape:
        description += bytes((DIMENSION_TAG,)) + _varint(dimension)
    header = HEADER.pack(0, 0, 0, len(description))
    return header + description + values.astype("<f4", order="C").tobytes()


def _varint(number: int) -> bytes:
    """Returns a number from 0 as protobuf's varint."""
    digits = bytearray()
    while number > DIGIT_BITS:
        digits.append(number & DIGIT_BITS | MORE_FOLLOWS)
        number >>= 7
    digits.append(number)
    return bytes(digits)
