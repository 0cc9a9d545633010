"""The packages that only a part of the work needs, and how each is installed."""

from importlib import import_module
from types import ModuleType

from rocketqa.files.errors import DataError, one_line

INSTALL = {
    "faiss": "pip install -e '.[cpu]', or '.[gpu]'",
    "matplotlib": "pip install matplotlib",
    "bm25s": "pip install -e '.[bm25]', or set BASELINES=no FUSE=no",
    "Stemmer": "pip install -e '.[bm25]', or use BM25 without a stemmer (BM25_STEMMER=none)",
    "paddlenlp": "Python 3.10 to 3.12: pip install -e '.[paddlenlp]'",
    "pymilvus": "pip install -e '.[milvus]'",
    "milvus_lite": "pip install -e '.[milvus]'",
    "onnx": "pip install -e '.[demo]'",
    "pip": "pip install -e '.[demo]'",
    "visualdl": "pip install -e '.[visualdl]'",
}


class MissingPackage(DataError):
    """A package that is needed here cannot be imported."""


def import_package(name: str, place: str, expected: str) -> ModuleType:
    """Returns a package of INSTALL.

    Raises MissingPackage, `place: expected ..., got ...` with the command that installs the
    package, where it cannot be imported.
    """
    try:
        return import_module(name)
    except Exception as error:  # A broken package breaks in any way.
        cure = f"{expected} ({INSTALL[name]})"
        raise MissingPackage(f"{place}: expected {cure}, got {one_line(error)}") from error
