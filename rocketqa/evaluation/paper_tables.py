"""The paper's tables with our numbers beside the paper's, and a verdict on each.

reached             our value is not below the paper's; a count is equal within the tolerance
within tolerance    our value is below the paper's by no more than the tolerance
below               our value is below the paper's by more than the tolerance
other               a count differs by more than the tolerance
not run             we have no value

The paper's numbers and their tolerances are read from `run_scripts/expected.tsv`.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.tables import markdown_row, markdown_rule
from rocketqa.files.rows import Row, read_rows

DATA = "data"  # the "model" of table 1's rows, which hold counts and lengths instead of shares
PAPER_DATA = {"marco": "MS MARCO", "nq": "Natural Questions"}  # flight -> the paper's data set
PAPER_NAMES = {
    "Success@1": "R@1",
    "Success@50": "R@50",
    "Success@1000": "R@1000",
    "accuracy@5": "R@5",
    "accuracy@20": "R@20",
    "accuracy@100": "R@100",
}

OurValues = Mapping[tuple[str, str], float]  # (model, measure) -> share of 1, or a count


class Expected(NamedTuple):
    """A number of the paper, and which number of ours is compared with it."""

    table: str
    row: str
    model: str  # our model, "data", or "" for a system that we do not train
    measure: str
    value: float  # percent, or a count
    tolerance: float  # in the unit of the value
    source: str

    @property
    def is_count(self) -> bool:
        """Whether the value is a count or a length of the data set."""
        return self.model == DATA

    @property
    def column(self) -> str:
        """The column of the table that holds the number."""
        return "value" if self.is_count else self.measure


def read_expected(path: Path, data_set: str) -> list[Expected]:
    """Returns the paper's numbers on one data set: "marco" or "nq"."""
    rows = read_rows(path, (8,))
    next(rows)  # the names of the columns
    return [_expected(row) for row in rows if row.columns[0] == data_set]


def _expected(row: Row) -> Expected:
    _, table, name, model, measure, value, tolerance, source = row.columns
    return Expected(
        table,
        name,
        model,
        measure,
        row.checked_number(value, "value"),
        row.checked_number(tolerance, "tolerance"),
        source,
    )


def paper_values(expected: Iterable[Expected]) -> dict[tuple[str, str], float]:
    """Returns (model, measure) -> the paper's value as a share of 1.

    Where tables give a value more than once, the most precise one is returned.
    """
    values: dict[tuple[str, str], float] = {}
    for row in sorted(expected, key=_precision):
        if row.model and not row.is_count:
            values[row.model, row.measure] = round(row.value / 100, 6)
    return values


def _precision(row: Expected) -> int:
    return len(repr(row.value))


def verdict(row: Expected, our_value: float | None) -> str:
    """Returns the verdict on our value, which is in the unit of the paper's."""
    if our_value is None:
        return "not run"
    if row.is_count:
        return "reached" if abs(our_value - row.value) <= row.tolerance else "other"
    if our_value >= row.value:
        return "reached"
    return "within tolerance" if our_value >= row.value - row.tolerance else "below"


def paper_table_lines(expected: list[Expected], our_values: OurValues) -> Iterator[str]:
    """Yields the paper's tables in Markdown, with its rows and columns.

    A cell holds our value, the paper's in brackets, and the verdict.
    """
    for table in dict.fromkeys(row.table for row in expected):
        rows = [row for row in expected if row.table == table]
        yield from _lines_of_table(table, rows, our_values)


def _lines_of_table(table: str, rows: list[Expected], our_values: OurValues) -> Iterator[str]:
    columns = list(dict.fromkeys(row.column for row in rows))
    title = f"Table {table} of the paper" if table.isdecimal() else table
    yield from ("", f"## {title}", "")
    yield "| " + markdown_row([PAPER_NAMES.get(column, column) for column in columns])
    yield markdown_rule(len(columns) + 1)
    for name in dict.fromkeys(row.row for row in rows):
        cells = dict.fromkeys(columns, "")
        for row in rows:
            if row.row == name:
                cells[row.column] = _cell(row, our_values)
        yield markdown_row([name, *cells.values()])


def _cell(row: Expected, our_values: OurValues) -> str:
    paper_value = f"({row.value:,.10g})"
    if not row.model:
        return paper_value
    our_value = our_values.get((row.model, row.measure))
    if our_value is None:
        return f"{paper_value} {verdict(row, None)}"
    if row.is_count:
        shown = round(our_value, 2)
        return f"{shown:,.10g} {paper_value} {verdict(row, shown)}"
    percent = round(100 * our_value, 2)
    return f"{percent:.2f} {paper_value} {verdict(row, percent)}"
