"""The tables and the commands of a page in Markdown."""

import re
from typing import NamedTuple


class Table(NamedTuple):
    """The headings of a table, and its rows of cells."""

    headings: list[str]
    rows: list[list[str]]


def tables(text: str) -> list[Table]:
    """Returns the tables of a text."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        first, _, *others = block.splitlines()
        headings = cells(first)
        rows = [cells(line) for line in others]
        found.append(Table(headings, rows))
    return found


def cells(line: str) -> list[str]:
    """Returns the cells of one line of a table."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in inner.split("|")]


def table_with(text: str, heading: str) -> Table:
    """Returns the first table that has this heading."""
    return next(table for table in tables(text) if heading in table.headings)


def name_in(cell: str) -> str:
    """Returns the first text in backticks of a cell."""
    return cell.split("`")[1]


def commands(text: str) -> list[list[str]]:
    """Returns the words of each shell command of a text, without comments."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        whole_lines = block.replace("\\\n", " ")
        for line in whole_lines.splitlines():
            command, _, _ = line.partition("#")
            if command.strip():
                found.append(command.split())
    return found
