"""What a user must mend: one line, `place: expected ..., got ...`."""


class DataError(ValueError):
    """What a user must mend, in one line: `place: expected ..., got ...`. A command exits 2 with it."""


class Fault(DataError):
    """What is wrong with a line of a file; `kind` is the class that `rocketqa validate` counts it in."""

    def __init__(self, kind: str, place: str, expected: str, got: str):
        super().__init__(f"{place}: expected {expected}, got {got}")
        self.kind = kind


def refuse(fault: Fault) -> None:
    """Raises the fault: how verbs read."""
    raise fault


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
