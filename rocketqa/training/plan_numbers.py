"""Numbers of a plan: those with names that the variables ROWS and RATES hold, such as
`train=1000 cross=50.5`, the rows of files, the disk that tokens take, and what a line costs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import Range, shown

# Of tokens on disk, with ids and ends: a passage of MS MARCO has some 75 tokens, a query 9.
BYTES_A_PASSAGE = 190
BYTES_A_QUERY = 50
GIB = 2**30


class Cost(NamedTuple):
    """One line of the plan: what is done, and the arithmetic of its cost.

    work: items that the devices together have to process; rate: the name of the rate, in items a
    second and device, that tells the hours. disk: bytes that are written.
    """

    what: str
    arithmetic: str
    work: float = 0
    rate: str = ""
    devices: int = 1
    disk: float = 0

    def line(self, hours: float | None) -> str:
        """Returns the line; hours: those of its devices, None where they are not known."""
        parts = [f"{self.what}: {self.arithmetic}"]
        if self.disk:
            parts.append(f"{self.disk / GIB:.1f} GiB of disk")
        if hours is not None:
            parts.append(f"{hours:.1f} h on {self.devices} devices")
        return "; ".join(parts)


def depth_is_chosen(variables: Mapping[str, str]) -> bool:
    """Returns whether a run is scored as deep as drawn queries need, as choose_depth in steps.sh
    has it. What they need is no deeper than the depth of the env file.
    """
    is_calibrated = variables.get("THRESHOLDS") == "calibrated"
    has_held_out = variables.get("HELD_OUT", "0") != "0"
    takes_no_more = variables.get("FILL_DEPTH", "0") == "0"
    return is_calibrated and has_held_out and takes_no_more


def goes_without_unlabelled(variables: Mapping[str, str]) -> bool:
    """Returns whether a flight leaves out what needs unlabelled queries, because there are none, as
    without_unlabelled in lib.sh has it.
    """
    is_calibrated = variables.get("THRESHOLDS") == "calibrated"
    may_be_made = bool(variables.get("DATA_PREP"))
    path = Path(variables.get("DATA_DIR", ""), "queries.unlabelled.tsv")
    return is_calibrated and not may_be_made and not path.exists()


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


def tokens_on_disk(rows: Mapping[str, int]) -> tuple[str, float]:
    """Returns the arithmetic and the bytes of the tokens of all texts, once for each kind of model.

    rows: file -> its rows.
    """
    passages = rows["collection"]
    queries = sum(count for name, count in rows.items() if name.startswith("queries."))
    arithmetic = f"{passages:,} passages and {queries:,} queries, for each of two kinds of model"
    return arithmetic, 2 * (passages * BYTES_A_PASSAGE + queries * BYTES_A_QUERY)


def count_lines(path: Path) -> int:
    """Returns how many lines a file has; 0 where it is not there."""
    if not path.is_file():
        return 0
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines


def total_line(costs: Sequence[Cost], hours: Sequence[float | None]) -> str:
    """Returns the last line of a plan; hours: of each cost that has a rate, None where unknown."""
    disk = sum(cost.disk for cost in costs)
    total = f"in all: {disk / GIB:.0f} GiB of disk"
    known = [value for value in hours if value is not None]
    if len(known) < len(hours):
        return f"{total}; hours: unknown, RATES names no rate (measure: rocketqa benchmark speed)"
    return f"{total}, {sum(known):.0f} h"
