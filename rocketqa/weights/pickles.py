"""Pickles of tensors, read as data: a pickle names functions to call, and no function is called.

A pickle of weights describes each tensor as a call: `torch._utils._rebuild_tensor_v2(storage,
offset, shape, ...)`. The unpickler here returns a `RecordedCall` for it, from which
`pickled_weights` builds the array. A pickle that names a function outside `KNOWN_CALLS` is refused,
so that a file of a stranger can run nothing.
"""

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rocketqa.files.errors import DataError

STORAGES = {  # PyTorch's storage classes -> the type of their numbers
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}

# The functions that pickles of weights name.
REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
REBUILD_ARRAY = "numpy.core.multiarray._reconstruct"
NUMPY_TYPE = "numpy.dtype"
ENCODE_TEXT = "_codecs.encode"  # pickles of protocol 2 hold bytes as text
KNOWN_CALLS = (REBUILD_TENSOR, REBUILD_PARAMETER, REBUILD_ARRAY, NUMPY_TYPE, ENCODE_TEXT)


class RecordedCall:
    """A call that a pickle asks for: the function's name, its arguments, and a later state."""

    def __init__(self, function: str, arguments: tuple):
        self.function = function
        self.arguments = arguments
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state


class TensorUnpickler(pickle.Unpickler):
    """Reads a pickle and returns a `RecordedCall` wherever the pickle asks for a call."""

    def find_class(self, module: str, name: str) -> type | str | Callable[..., RecordedCall]:
        """Returns what the unpickler uses for a name: a recorder of calls, or the name.

        Raises DataError on a name that pickles of tensors do not need.
        """
        function = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if function == "collections.OrderedDict":
            return OrderedDict
        is_storage = module == "torch" and name in STORAGES
        if is_storage or function == "numpy.ndarray":
            return name
        if function not in KNOWN_CALLS:
            raise DataError(f"expected tensors only, got a call of {function[:100]!r}")

        def record(*arguments: object) -> RecordedCall:
            return RecordedCall(function, arguments)

        return record

    def persistent_load(self, storage: object) -> object:
        """Returns PyTorch's description of a storage, unchanged."""
        return storage


def read_tensor_pickle(file: BinaryIO, size: int, path: Path) -> dict[str, object]:
    """Returns the parameters' names with their `RecordedCall`s.

    file: the pickle of `size` bytes. path: the name in error messages. Raises DataError where it
    holds something else, or asks for a memo larger than itself, which would only take memory.
    """
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > size:
            raise DataError(f"{path}: expected at most {size} remembered values, got {argument}")
    file.seek(0)
    try:
        content = TensorUnpickler(file).load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise DataError(f"{path}: expected names with their tensors, got something else")
    return content
