"""Pickled word lists, as ernie-tiny has one: refused where loading them could run code.

PaddleNLP loads this list with `pickle`, which calls whatever the file names. So the file is read
here first, by an unpickler that knows sets and frozensets of words and refuses every other name.
"""

import pickle
from pathlib import Path

from rocketqa.files.errors import DataError, one_line

BUILTINS = ("builtins", "__builtin__")  # the module's name in Python 3 and in Python 2
WORD_CONTAINERS = {"set": set, "frozenset": frozenset}


class WordsUnpickler(pickle.Unpickler):
    """Reads a pickle of words in lists, dicts and sets; refuses one that names anything else."""

    def find_class(self, module: str, name: str) -> type:
        """Returns the class that the pickle names.

        Raises DataError where it is no container of words.
        """
        if module in BUILTINS and name in WORD_CONTAINERS:
            return WORD_CONTAINERS[name]
        raise DataError(f"expected words only, got a call of {module}.{name}")


def check_word_list(path: Path) -> None:
    """Raises DataError where loading this pickle with `pickle` would run code, or would fail."""
    try:
        with path.open("rb") as file:
            WordsUnpickler(file).load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # noqa: BLE001  A broken file breaks its reader in any way.
        raise DataError(f"{path}: expected a pickle of words, got {one_line(error)}") from error
