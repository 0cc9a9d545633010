"""Tables as lines of tab-separated files and of Markdown."""

from collections.abc import Iterator, Sequence

Table = list[list[object]]  # the names of the columns, then the rows
YES_OR_NO = {True: "yes", False: "no"}  # a cell that answers a question


def tsv_lines(table: Table) -> Iterator[str]:
    """Yields the lines of a tab-separated file, the names of the columns first."""
    for row in table:
        yield "\t".join(map(str, row))


def markdown_lines(table: Table) -> Iterator[str]:
    """Yields the lines of a Markdown table. A bar in a cell is escaped."""
    for number, row in enumerate(table):
        cells = [str(cell).replace("|", "\\|") for cell in row]
        yield markdown_row(cells)
        if number == 0:
            yield markdown_rule(len(row))


def markdown_row(cells: Sequence[str]) -> str:
    """Returns one line of a Markdown table."""
    joined = " | ".join(cells)
    return f"| {joined} |"


def markdown_rule(columns: int) -> str:
    """Returns the line between the names of the columns and the rows."""
    return markdown_row(["---"] * columns)
