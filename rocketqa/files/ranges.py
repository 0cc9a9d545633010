"""What a number may be: ranges with their names, for flags, settings and variables of env files.

A number is read as a person writes it: `12`, `0.1`, `3e-5`. `nan`, `inf`, `1_000`, digits of other
scripts, and blanks before or behind are refused.
"""

import math
import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

from rocketqa.files.errors import DataError

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,100}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
LARGEST = 2**31 - 1  # of whole numbers that have no other limit
LONGEST_SHOWN = 60  # characters of a wrong value that an error shows


class Range(NamedTuple):
    """The numbers that a value may be.

    expected: their name in an error. low and high: the smallest and the largest. without_low: the
    smallest is excluded. whole: only whole numbers. step: only its multiples.
    """

    expected: str
    low: float = -math.inf
    high: float = math.inf
    without_low: bool = False
    whole: bool = False
    step: int = 1

    def read(self, text: str) -> float:
        """Returns the number that a text names, an int where the range is whole.

        Raises ValueError with `expected ..., got ...` where it names none of the range.
        """
        form = WHOLE_NUMBER if self.whole else NUMBER
        if not form.fullmatch(text):
            raise ValueError(f"expected {self.expected}, got {shown(text)}")
        value = int(text) if self.whole else float(text)
        if not self.contains(value):
            raise ValueError(f"expected {self._expected_instead_of(value)}, got {shown(text)}")
        return value

    def check(self, place: str, value: object) -> None:
        """Raises DataError where a value of a Python program is not in the range."""
        if not self.contains(value):
            expected = self._expected_instead_of(value)
            raise DataError(f"{place}: expected {expected}, got {value!r}")

    def contains(self, value: object) -> bool:
        """Returns whether a value is a number of the range."""
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number: Any = value
        if not self.whole and not math.isfinite(number):
            return False
        if self.whole and number % self.step:
            return False
        if self.without_low and number == self.low:
            return False
        return bool(self.low <= number <= self.high)

    def _expected_instead_of(self, value: Any) -> str:
        """Returns the name of the range, with the general limit where the value is beyond it."""
        beyond = self.high == LARGEST and isinstance(value, Integral) and int(value) > LARGEST
        return f"{self.expected} to {LARGEST}" if beyond else self.expected


def shown(text: str) -> str:
    """Returns how an error shows a wrong text: in one line, and not too long of it.

    Blanks and ends of lines around it, which may be all that is wrong with it, are made visible.
    """
    line = " ".join(text.split())
    if line and text != text.strip():
        line = repr(text)
    if len(line) > LONGEST_SHOWN:
        line = f"{line[:LONGEST_SHOWN]}..."
    return line or "an empty text"


def check_choice(place: str, value: object, choices: Sequence[str]) -> None:
    """Raises DataError where a value is not among the choices."""
    if value not in choices:
        raise DataError(f"{place}: expected {' or '.join(choices)}, got {value!r}")


WHOLE_FROM_0 = Range("a whole number from 0", 0, LARGEST, whole=True)
WHOLE_FROM_1 = Range("a whole number from 1", 1, LARGEST, whole=True)
ANY_WHOLE = Range("a whole number", whole=True)
BYTES_OF_FILE = Range("a whole number of bytes from 0", 0, whole=True)
TOKENS = Range("8 to 512 tokens", 8, 512, whole=True)  # room for special tokens and some text
PORT = Range("a port, 0 to 65535", 0, 65535, whole=True)
PERCENT = Range("a whole number of percent, 1 to 100", 1, 100, whole=True)
HIDDEN_SIZE = Range("a multiple of the 12 heads", 12, LARGEST, whole=True, step=12)

FROM_0 = Range("a finite number from 0", 0)
ABOVE_0 = Range("a finite number above 0", 0, without_low=True)
PROBABILITY = Range("a probability, 0 to 1", 0, 1)
WEIGHT = Range("a weight, 0 to 1", 0, 1)
SECONDS = Range("seconds above 0, up to 86400", 0, 86400, without_low=True)
SHARE_OF_STEPS = Range("a share of the steps, 0 to 1", 0, 1)
LEARNING_RATE = Range("a rate above 0 and up to 1, such as 3e-5", 0, 1, without_low=True)
EPSILON = Range("a number above 0 and up to 1, such as 1e-5", 0, 1, without_low=True)
LOSS_SCALE = Range("a number from 1 to 1e30", 1, 1e30)  # a float32 has room for its product
