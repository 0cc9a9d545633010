"""Pickles of tensors, read as data: what they ask to be called is noted, never done."""

import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path

from rocketqa.files.errors import DataError

STORAGES = {
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


TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"


ARRAY, LATIN = "numpy.core.multiarray._reconstruct", "_codecs.encode"


CALLS = (TENSOR, PARAMETER, ARRAY, LATIN, "numpy.dtype")


class Named:
    """What a pickle asks to be made: the name of the maker, its arguments, and the state it is given after."""

    def __init__(self, name: str, arguments: tuple):
        self.name, self.arguments, self.state = name, arguments, ()

    def __setstate__(self, state) -> None:
        self.state = state


class TensorsOnly(pickle.Unpickler):
    """A pickle whose every call is noted as a `Named`, and none made; a name not in CALLS is refused."""

    def find_class(self, module: str, name: str):
        called = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if called == "collections.OrderedDict":
            return OrderedDict
        if module == "torch" and name in STORAGES or called == "numpy.ndarray":
            return name
        if called not in CALLS:
            raise DataError(f"expected tensors only, got a call of {called[:100]!r}")
        return lambda *arguments: Named(called, arguments)

    def persistent_load(self, stored):
        return stored


def unpickled(file, size: int, path: Path) -> dict:
    """Returns what a pickle holds. A memo that is larger than the pickle would be memory taken for nothing."""
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name.endswith("PUT") and int(argument) > size:
            raise DataError(f"{path}: expected at most {size} remembered values, got {argument}")
    file.seek(0)
    try:
        found = TensorsOnly(file).load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise DataError(f"{path}: expected names with their tensors, got something else")
    return found
