"""Number types of stored weights, by the names that the safetensors format gives them."""

import numpy as np

NUMPY_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # numpy has no bfloat16: its bits are read as a number first
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "?",
}


def with_wide_floats(values: np.ndarray, number_type: str) -> np.ndarray:
    """Returns floats of two bytes as float32 and all other values as they are.

    values: for BF16 its bits as uint16. A bfloat16 is the upper half of a float32.
    """
    if number_type == "BF16":
        bits = values.astype(np.uint32) << 16
        return bits.view(np.float32)
    if number_type == "F16":
        return values.astype(np.float32)
    return values
