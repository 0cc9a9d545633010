"""The paper's tables with our numbers in them, each with a verdict.

reached             ours is not below the paper's
within tolerance    below it, by no more than the tolerance that the file of the paper's numbers gives
below               further below
not run             there is no number of ours
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.rows import read_rows

OF_THE_DATA = "data"  # the model of table 1's rows: counts and lengths, no shares
PAPER_NAMES = {
    "Success@1": "R@1",
    "Success@50": "R@50",
    "Success@1000": "R@1000",
    "accuracy@5": "R@5",
    "accuracy@20": "R@20",
    "accuracy@100": "R@100",
}


class Expected(NamedTuple):
    """A number of the paper (percent, or a count) and the model of ours that it is to be held against, if any."""

    table: str
    row: str
    model: str
    measure: str
    value: float
    tolerance: float
    source: str


Ours = Mapping[tuple[str, str], float]  # (model, measure) -> share of 1, or a count


def read_expected(path: Path, flight: str) -> list[Expected]:
    """Returns a flight's rows of the file; its first line names the columns."""
    rows = iter(read_rows(path, (8,)))
    next(rows)
    return [
        Expected(
            *row.columns[1:5],
            row.real(row.columns[5], "value"),
            row.real(row.columns[6], "tolerance"),
            row.columns[7],
        )
        for row in rows
        if row.columns[0] == flight
    ]


def paper_values(expected: Iterable[Expected]) -> dict[tuple[str, str], float]:
    """Returns (model, measure) -> the paper's value as a share of 1; its most precise where tables repeat it."""
    values: dict[tuple[str, str], float] = {}
    for row in sorted(expected, key=lambda row: len(repr(row.value))):
        if row.model and row.model != OF_THE_DATA:
            values[row.model, row.measure] = round(row.value / 100, 6)
    return values


def verdict(row: Expected, ours: float | None) -> str:
    """Returns what to say of our value, in the unit of the paper's."""
    if ours is None:
        return "not run"
    if row.model == OF_THE_DATA:
        return "reached" if abs(ours - row.value) <= row.tolerance else "other"
    return (
        "reached"
        if ours >= row.value
        else "within tolerance"
        if ours >= row.value - row.tolerance
        else "below"
    )


def table_lines(expected: list[Expected], ours: Ours) -> Iterator[str]:
    """Yields the paper's tables in Markdown, in its layout: ours, the paper's in brackets, the verdict."""
    for table in dict.fromkeys(row.table for row in expected):
        rows = [row for row in expected if row.table == table]
        columns = list(
            dict.fromkeys("value" if row.model == OF_THE_DATA else row.measure for row in rows)
        )
        yield from (
            "",
            f"## {f'Table {table} of the paper' if table.isdecimal() else table}",
            "",
            "| | " + " | ".join(PAPER_NAMES.get(column, column) for column in columns) + " |",
            "| --- |" + " --- |" * len(columns),
        )
        for name in dict.fromkeys(row.row for row in rows):
            cells = dict.fromkeys(columns, "")
            for row in rows:
                if row.row == name:
                    cells["value" if row.model == OF_THE_DATA else row.measure] = _cell(row, ours)
            yield f"| {name} | " + " | ".join(cells.values()) + " |"


def _cell(row: Expected, ours: Ours) -> str:
    value, scale = ours.get((row.model, row.measure)), 1 if row.model == OF_THE_DATA else 100
    ours_shown = None if value is None else round(scale * value, 2)
    own = "" if value is None else f"{ours_shown:.2f} " if scale == 100 else f"{ours_shown:,.10g} "
    return f"{own}({row.value:,.10g})" + (f" {verdict(row, ours_shown)}" if row.model else "")
