"""How a line becomes columns: at its tabs, or at any blanks, as the files of TREC are written."""

import re
from collections.abc import Callable, Sequence

Split = Callable[[str], list[str]]  # a line without its end -> its columns

BLANKS = re.compile(r"[ \t]+")


def at_tabs(line: str) -> list[str]:
    """Returns the columns between the tabs. A column may be empty or hold spaces."""
    return line.split("\t")


def counted(count: int, split: Split) -> str:
    """Returns a wrong number of columns as errors tell it: where no tab was found, it says so."""
    if count == 1 and split is at_tabs:
        return "1 (columns are separated by tabs)"
    return str(count)


def at_tabs_or_blanks(column_counts: Sequence[int]) -> Split:
    """Returns what splits the lines of a file whose columns hold no blanks.

    column_counts: how many columns a line may have, TREC's form first. A line without spaces is
    split at its tabs, and so is one that has a right number of columns then. Any other line is
    split at any number of spaces and tabs.
    """
    of_trec = column_counts[0]

    def split(line: str) -> list[str]:
        columns = line.split("\t")
        count = len(columns)
        if count == of_trec or " " not in line:
            return columns
        words = BLANKS.split(line.strip(" \t"))
        is_at_blanks = count == 1 or count not in column_counts
        if is_at_blanks or len(words) == of_trec:
            return words
        return columns

    return split
