"""Weights in PyTorch's zip files and Paddle's pickles, read without running what they name.

pytorch_model.bin       a zip: NAME/data.pkl describes tensors, NAME/data/KEY holds their bytes
model_state.pdparams    one pickle of numpy arrays, with the bytes inside
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.weights.number_types import NUMPY_TYPES, with_wide_floats
from rocketqa.weights.pickles import (
    REBUILD_ARRAY,
    REBUILD_PARAMETER,
    REBUILD_TENSOR,
    STORAGES,
    RecordedCall,
    read_tensor_pickle,
)

LARGEST_STRUCTURE = 1 << 26  # bytes of data.pkl, which holds names and shapes only
PADDLE_NAMES = "StructuredToParameterName@@"  # an entry of Paddle's that is no tensor
PADDLE_TYPES = ("f2", "f4", "f8", "i4", "i8", "u2")
LITTLE_ENDIAN = ("<", "|")  # numpy's marks; "|": numbers of one byte
FLOATS_OF_TWO_BYTES = {"f2": "F16", "u2": "BF16"}  # Paddle stores bfloat16 as uint16


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a `pytorch_model.bin` by their names; 2-byte floats become float32.

    Raises DataError, or any error of `zipfile` or `pickle`, where the file is broken or holds
    something else.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: expected PyTorch's zip format, got another (older than 1.6, or cut off): "
            "load and save it with a PyTorch of today, or bring model.safetensors"
        )
    with zipfile.ZipFile(path) as archive:
        structure = _structure_entry(archive, path)
        root = structure.filename.removesuffix("data.pkl")
        pickled = io.BytesIO(archive.read(structure))
        tensors = read_tensor_pickle(pickled, structure.file_size, path)

        @cache  # tied weights share one storage
        def storage_bytes(key: str) -> bytes:
            return archive.read(f"{root}data/{key}")

        return {
            name: _torch_tensor(tensor, storage_bytes, f"{path}: {name!r}")
            for name, tensor in tensors.items()
        }


def _structure_entry(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """Returns the entry with the pickle.

    Raises DataError where PyTorch would not write such a zip.
    """
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise DataError(f"{path}: expected entries as PyTorch writes them, got compressed ones")
    structures = [entry for entry in entries if _is_structure(entry.filename)]
    if len(structures) != 1:
        raise DataError(f"{path}: expected one folder with data.pkl, got {len(structures)}")
    [structure] = structures
    if structure.file_size > LARGEST_STRUCTURE:
        raise DataError(
            f"{path}: expected at most {LARGEST_STRUCTURE} bytes of names, "
            f"got {structure.file_size}"
        )
    byte_order = structure.filename.removesuffix("data.pkl") + "byteorder"
    if byte_order in archive.namelist() and archive.read(byte_order) != b"little":
        raise DataError(f"{path}: expected little-endian values, got others")
    return structure


def _is_structure(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _torch_tensor(value: object, storage_bytes: Callable[[str], bytes], place: str) -> np.ndarray:
    """Returns the array that a recorded call of PyTorch describes."""
    if isinstance(value, RecordedCall) and value.function == REBUILD_PARAMETER:
        value = value.arguments[0]
    if not isinstance(value, RecordedCall) or value.function != REBUILD_TENSOR:
        raise DataError(f"{place}: expected a tensor, got something else")
    described_storage, offset, shape, strides, *_ = value.arguments
    _, storage_class, key, _, _ = described_storage
    if not isinstance(storage_class, str) or not isinstance(key, str):
        raise DataError(f"{place}: expected a storage and its name, got something else")
    number_type = STORAGES[storage_class]
    stored = np.frombuffer(storage_bytes(key), NUMPY_TYPES[number_type])
    if not _fits(offset, shape, strides, len(stored)):
        raise DataError(f"{place}: expected a shape within its {len(stored)} values, got {shape}")
    steps = [stride * stored.itemsize for stride in strides]
    values = np.lib.stride_tricks.as_strided(stored[offset:], shape, steps, writeable=False)
    return with_wide_floats(values, number_type)


def _fits(offset: int, shape: Sequence[int], strides: Sequence[int], stored: int) -> bool:
    """Returns whether a view reads only values of its storage, and not more values than it has.

    stored: the number of values of the storage.
    """
    if min((offset, *shape, *strides)) < 0:
        return False
    sizes = [float(size) for size in shape]  # a product of huge integers would wrap around
    if np.prod(sizes) > stored:
        return False
    last = offset
    for size, stride in zip(shape, strides, strict=True):
        last += (size - 1) * stride
    return 0 in shape or last < stored


def read_paddle_file(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a `model_state.pdparams` by their names; 2-byte floats become float32.

    Raises DataError, or any error of `pickle`, where the file is broken or holds something else.
    """
    with path.open("rb") as file:
        arrays = read_tensor_pickle(file, path.stat().st_size, path)
    arrays.pop(PADDLE_NAMES, None)
    weights = {}
    for name, value in arrays.items():
        if isinstance(value, tuple) and len(value) == 2:  # (name in the graph, array)
            value = value[1]
        weights[name] = _numpy_array(value, f"{path}: {name!r}")
    return weights


def _numpy_array(value: object, place: str) -> np.ndarray:
    """Returns the array that a recorded call of numpy describes."""
    if not isinstance(value, RecordedCall) or value.function != REBUILD_ARRAY:
        raise DataError(f"{place}: expected an array, got something else")
    _, shape, described_type, by_columns, content = value.state
    number_type = described_type.arguments[0]
    if number_type not in PADDLE_TYPES or described_type.state[1] not in LITTLE_ENDIAN:
        raise DataError(f"{place}: expected little-endian numbers of a known kind, got others")
    if isinstance(content, RecordedCall):  # pickles of protocol 2 hold bytes as text
        content = content.arguments[0].encode("latin1")
    order: Literal["F", "C"] = "F" if by_columns else "C"
    values = np.frombuffer(content, f"<{number_type}").reshape(shape, order=order)
    return with_wide_floats(values, FLOATS_OF_TWO_BYTES.get(number_type, number_type))
