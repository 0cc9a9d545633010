"""The errors that a user can mend, each in one line: `place: expected ..., got ...`."""

from typing import NoReturn


class DataError(ValueError):
    """Something that the user must mend: a verb prints it in one line and exits with status 2."""


class Fault(DataError):
    """Something wrong with a file or with one of its lines.

    kind: the class of faults that `rocketqa validate` counts it in. place: `file` or `file:line`.
    """

    def __init__(self, kind: str, place: str, expected: str, got: str):
        super().__init__(f"{place}: expected {expected}, got {got}")
        self.kind = kind
        self.place = place


def raise_fault(fault: Fault) -> NoReturn:
    """Raises the fault. It is the fault handler of every verb but `rocketqa validate`."""
    raise fault


def one_line(error: Exception) -> str:
    """Returns the type and the message of an error in one line of at most 200 characters."""
    words = f"{type(error).__name__}: {error}".split()
    return " ".join(words)[:200]
