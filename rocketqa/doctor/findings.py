"""What a check has found: ok, wrong, or that the thing to check is not there. Needs no Paddle."""

from typing import NamedTuple

OK, WRONG, ABSENT = "ok", "wrong", "not there"


class Finding(NamedTuple):
    """A row of the table.

    check: what was looked at. verdict: OK, WRONG or ABSENT. text: what was found; of a WRONG one
    `expected ..., got ...`.
    """

    check: str
    verdict: str
    text: str

    def row(self) -> str:
        """Returns the row of the table."""
        return f"{self.check:24}{self.verdict:11}{self.text}"


# What a check returns: its verdict and its text.
Judgement = tuple[str, str]


def judged(is_ok: bool, found: str, expected: str) -> Judgement:
    """Returns OK with what was found, or WRONG with what was expected instead."""
    return (OK, found) if is_ok else (WRONG, f"expected {expected}, got {found}")
