"""Pickled lists of words, as ernie-tiny has one: read only where loading them calls nothing."""

import pickle
from pathlib import Path

from rocketqa.files.errors import DataError, one_line


class WordsOnly(pickle.Unpickler):
    """A pickle of a set or a list or dict of words, as ernie-tiny's word list is; a call of anything is refused."""

    def find_class(self, module: str, name: str):
        if module in ("builtins", "__builtin__") and name in ("set", "frozenset"):
            return {"set": set, "frozenset": frozenset}[name]
        raise DataError(f"expected words only, got a call of {module}.{name}")


def refuse_calls(path: Path) -> None:
    """Raises DataError where loading this pickle of words with `pickle` would run anything, or fail."""
    try:
        with path.open("rb") as file:
            WordsOnly(file).load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # noqa: BLE001  A broken file breaks its reader in any way.
        raise DataError(f"{path}: expected a pickle of words, got {one_line(error)}") from error
