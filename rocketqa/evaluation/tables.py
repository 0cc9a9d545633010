"""Tables as lines of tab-separated files and of Markdown."""

from collections.abc import Iterable, Iterator, Sequence

Table = list[list[object]]  # the names of the columns, then the rows


def tsv_lines(table: Table) -> Iterator[str]:
    """Yields the lines of a tab-separated file, the names of the columns first."""
    for row in table:
        yield "\t".join(str(cell) for cell in row)


def markdown_lines(table: Table) -> Iterator[str]:
    """Yields the lines of a Markdown table. A bar in a cell is escaped."""
    columns, *rows = table
    yield markdown_row(_escaped(columns))
    yield markdown_rule(len(columns))
    for row in rows:
        yield markdown_row(_escaped(row))


def markdown_row(cells: Sequence[str]) -> str:
    """Returns one line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def markdown_rule(columns: int) -> str:
    """Returns the line between the names of the columns and the rows."""
    return markdown_row(["---"] * columns)


def _escaped(row: Iterable[object]) -> list[str]:
    return [str(cell).replace("|", "\\|") for cell in row]
