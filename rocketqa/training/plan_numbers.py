"""The numbers with names that the variables ROWS and RATES hold: `train=1000 cross=50.5`."""

from collections.abc import Sequence

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import Range, shown


def parse_numbers(text: str, names: Sequence[str], variable: str, range: Range) -> dict[str, float]:
    """Returns name -> number of words NAME=NUMBER, each name once.

    Raises DataError where a word is no such one, and where its number is out of the range.
    """
    numbers: dict[str, float] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if name not in names or not equals or name in numbers:
            expected = f"words NAME=NUMBER of {', '.join(names)}, each once"
            raise DataError(f"{variable}: expected {expected}, got {shown(word)}")
        try:
            numbers[name] = range.read(value)
        except ValueError as error:
            raise DataError(f"{variable}: {name}: {error}") from None
    return numbers
