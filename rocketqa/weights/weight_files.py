"""Files of weights that others wrote, read as data: nothing in them is run, and what is not plain tensors is refused.

    model.safetensors, pytorch_model.bin (PyTorch's zip format), model_state.pdparams (Paddle's)
    NAME.index.json     the same in several files: {"weight_map": {parameter: file}}

The last two are pickles, which can call anything: here they can only name tensors, which this module builds itself.
"""

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError, one_line
from rocketqa.weights.pickles import ARRAY, PARAMETER, STORAGES, TENSOR, Named, unpickled

FILES = (
    "model.safetensors",
    "pytorch_model.bin",
    "model_state.pdparams",
)  # the first that is there is read
LARGEST_STRUCTURE = 1 << 26  # bytes of the pickle in a zip, which holds names and shapes alone
SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "?",
}
PADDLE_NAMES = "StructuredToParameterName@@"

Weights = dict[str, np.ndarray]


def read_weights(folder: Path) -> Weights:
    """Returns the weights of a folder by the names that they have there; 2-byte floats become float32.

    Raises DataError where there are none, or a file is broken or holds something else.
    """
    for name in FILES:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return read_file(folder / name)
        if index.is_file():
            return _read_shards(index)
    raise DataError(f"{folder}: expected weights ({', '.join(FILES)}), got none")


def read_file(path: Path) -> Weights:
    """Returns the weights of one file, of the format that its name says. Raises as `read_weights`."""
    reader: Callable[[Path], Weights] = {
        ".safetensors": _read_safetensors,
        ".bin": _read_torch,
    }.get(path.suffix, _read_paddle)
    try:
        return reader(path)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  A broken file breaks its reader in any way.
        raise DataError(f"{path}: expected whole weights, got {one_line(error)}") from error


def _read_shards(index: Path) -> Weights:
    try:
        shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(shards.values()))
        weights = {
            file: read_file(index.parent / file) for file in files if Path(file).name == file
        }
        unlisted = sorted({name for shard in weights.values() for name in shard} - shards.keys())
        if unlisted:
            raise DataError(
                f"{index}: expected every parameter of its files, got none of {unlisted[:5]}"
            )
        return {name: weights[file][name] for name, file in shards.items()}
    except DataError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{index}: expected a weight_map of names to files here, got {one_line(error)}"
        ) from error


def _floats(values: np.ndarray, kind: str) -> np.ndarray:
    """Returns values as they are, 2-byte floats as float32; bfloat16 is the upper half of a float32."""
    if kind == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32) if kind == "F16" else values


def _read_safetensors(path: Path) -> Weights:
    from safetensors import deserialize

    weights = {}
    for name, tensor in deserialize(path.read_bytes()):
        kind = tensor["dtype"]
        if kind not in SAFETENSORS:
            raise DataError(
                f"{path}: expected {name!r} of a type among {', '.join(SAFETENSORS)}, got {kind}"
            )
        weights[name] = _floats(
            np.frombuffer(tensor["data"], SAFETENSORS[kind]).reshape(tensor["shape"]), kind
        )
    return weights


def _read_torch(path: Path) -> Weights:
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: expected PyTorch's zip format, got another (older than 1.6, or cut off): load and "
            "save it with a PyTorch of today, or bring model.safetensors"
        )
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise DataError(f"{path}: expected entries as PyTorch writes them, got compressed ones")
        [structure] = [
            entry
            for entry in archive.infolist()
            if entry.filename.count("/") == 1 and entry.filename.endswith("/data.pkl")
        ]
        root = structure.filename.removesuffix("data.pkl")
        if structure.file_size > LARGEST_STRUCTURE:
            raise DataError(
                f"{path}: expected at most {LARGEST_STRUCTURE} bytes of names, got {structure.file_size}"
            )
        if (
            f"{root}byteorder" in archive.namelist()
            and archive.read(f"{root}byteorder") != b"little"
        ):
            raise DataError(f"{path}: expected little-endian values, got others")
        found = unpickled(io.BytesIO(archive.read(structure)), structure.file_size, path)
        stored = cache(
            lambda key: archive.read(f"{root}data/" + key)
        )  # tied weights share one storage
        return {
            name: _torch_tensor(value, stored, f"{path}: {name!r}") for name, value in found.items()
        }


def _torch_tensor(value, stored_as: Callable[[str], bytes], place: str) -> np.ndarray:
    if isinstance(value, Named) and value.name == PARAMETER:
        value = value.arguments[0]
    if not isinstance(value, Named) or value.name != TENSOR:
        raise DataError(f"{place}: expected a tensor, got something else")
    (_, storage, key, _, _), offset, shape, strides, *_ = value.arguments
    if not isinstance(storage, str) or not isinstance(key, str):
        raise DataError(f"{place}: expected a storage and its name, got something else")
    kind = STORAGES[storage]
    stored = np.frombuffer(stored_as(key), SAFETENSORS[kind])
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if (
        min((offset, *shape, *strides)) < 0
        or np.prod([float(size) for size in shape]) > len(stored)
        or (0 not in shape and last >= len(stored))
    ):
        raise DataError(f"{place}: expected a shape within its {len(stored)} values, got {shape}")
    steps = [stride * stored.itemsize for stride in strides]
    return _floats(
        np.lib.stride_tricks.as_strided(stored[offset:], shape, steps, writeable=False), kind
    )


def _read_paddle(path: Path) -> Weights:
    with path.open("rb") as file:
        found = unpickled(file, path.stat().st_size, path)
    found.pop(PADDLE_NAMES, None)
    return {
        name: _numpy_array(
            value[1] if isinstance(value, tuple) and len(value) == 2 else value, f"{path}: {name!r}"
        )
        for name, value in found.items()
    }


def _numpy_array(value, place: str) -> np.ndarray:
    if not isinstance(value, Named) or value.name != ARRAY:
        raise DataError(f"{place}: expected an array, got something else")
    _, shape, described, by_columns, content = value.state
    kind = described.arguments[0]
    if kind not in ("f2", "f4", "f8", "i4", "i8", "u2") or described.state[1] not in "<|":
        raise DataError(f"{place}: expected little-endian numbers of a known kind, got others")
    if isinstance(content, Named):  # pickles of protocol 2 hold bytes as text
        content = content.arguments[0].encode("latin1")
    values = np.frombuffer(content, f"<{kind}").reshape(shape, order="F" if by_columns else "C")
    return _floats(values, {"f2": "F16", "u2": "BF16"}.get(kind, kind))
