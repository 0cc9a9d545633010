"""Files of weights that others wrote, read as data: nothing in them is run.

Only plain tensors are taken.

    model.safetensors          numbers with a JSON header
    pytorch_model.bin          PyTorch's zip format, see `pickled_weights`
    model_state.pdparams       Paddle's pickle, see `pickled_weights`
    NAME.index.json            the same in several files: {"weight_map": {parameter: file}}
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError, one_line
from rocketqa.files.git_lfs import refuse_git_lfs_pointer
from rocketqa.files.json_files import read_json_object, shown
from rocketqa.weights.number_types import NUMPY_TYPES, with_wide_floats
from rocketqa.weights.pickled_weights import read_paddle_file, read_torch_file

FILES = ("model.safetensors", "pytorch_model.bin", "model_state.pdparams")  # the first one is read

Weights = dict[str, np.ndarray]


def read_weights(folder: Path) -> Weights:
    """Returns the weights of a folder by the names that they have there.

    Floats of 2 bytes become float32. Raises DataError where there are no weights, or a file is
    broken or holds something else.
    """
    for name in FILES:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return read_file(folder / name)
        if index.is_file():
            return _read_indexed_files(index)
    raise DataError(f"{folder}: expected weights ({', '.join(FILES)}), got none")


def read_file(path: Path) -> Weights:
    """Returns the weights of one file, whose format its name tells. Raises as `read_weights`."""
    readers: dict[str, Callable[[Path], Weights]] = {
        ".safetensors": _read_safetensors,
        ".bin": read_torch_file,
    }
    reader = readers.get(path.suffix, read_paddle_file)
    try:
        refuse_git_lfs_pointer(path, "weights")
        return reader(path)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  A broken file breaks its reader in any way.
        raise DataError(f"{path}: expected complete weights, got {one_line(error)}") from error


def _read_indexed_files(index: Path) -> Weights:
    """Returns the weights of the files that an index lists."""
    file_of = _weight_map(index)
    files = sorted(set(file_of.values()))
    weights_of = {file: read_file(index.parent / file) for file in files}
    all_names = set().union(*weights_of.values())
    unlisted = sorted(all_names - file_of.keys())
    if unlisted:
        raise DataError(
            f"{index}: expected every parameter of its files, got none of {unlisted[:5]}"
        )
    weights = {}
    for name, file in file_of.items():
        if name not in weights_of[file]:
            raise DataError(f"{index}: expected {name!r} in {file}, got a file without it")
        weights[name] = weights_of[file][name]
    return weights


def _weight_map(index: Path) -> dict[str, str]:
    """Returns parameter -> name of a file beside the index."""
    weight_map = read_json_object(index).nested("weight_map")
    for name in weight_map.fields:
        file = weight_map.require(name, str)
        if not file or Path(file).name != file:
            expected = "the name of a file beside it"
            raise weight_map.fault(f"{expected} for {shown(name)}", shown(file))
    return {name: weight_map.require(name, str) for name in weight_map.fields}


def _read_safetensors(path: Path) -> Weights:
    from safetensors import deserialize

    weights = {}
    for name, tensor in deserialize(path.read_bytes()):
        number_type = tensor["dtype"]
        if number_type not in NUMPY_TYPES:
            raise DataError(
                f"{path}: expected {name!r} of a type among {', '.join(NUMPY_TYPES)}, "
                f"got {number_type}"
            )
        flat = np.frombuffer(tensor["data"], NUMPY_TYPES[number_type])
        weights[name] = with_wide_floats(flat.reshape(tensor["shape"]), number_type)
    return weights
