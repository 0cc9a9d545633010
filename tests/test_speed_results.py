"""The tables of speeds in rocketqa/README.md say what the files of results say.

The first heading of such a table is its kind and the machine. "encode", "score" and "train": a row
is a contender, a column a measure. "rows a second": a row is a kind of work, a column a contender.
"search": a row is a number of vectors and a depth. "growth": a row is a verb, a number of passages
and one of threads. Other tables have no speeds.
"""

from collections.abc import Iterator

from page_tables import Table, tables
from script_runs import ROOT

PAGE = (ROOT / "rocketqa/README.md").read_text(encoding="utf-8")
RATE = "rows a second"
WORKS = ("encode", "score", "train")
KINDS = (*WORKS, RATE, "search", "growth")
FURTHER_KEYS = {"search": 1, "growth": 2}  # columns, besides the first one, that name a row

Cell = tuple[str, ...]  # the machine and the names of a row, and its measure


def rows_of_the_file(name: str) -> list[dict[str, str]]:
    text = (ROOT / "rocketqa/benchmark" / name).read_text(encoding="utf-8")
    header, *lines = [line.split("\t") for line in text.splitlines()]
    return [dict(zip(header, line, strict=True)) for line in lines]


def cells_of_the_files() -> dict[Cell, str]:
    """Returns what was measured; a dash where something was not."""
    found: dict[Cell, str] = {}
    for name, keys in (
        ("speed_results.tsv", ("machine", "work", "contender")),
        ("search_results.tsv", ("machine", "vectors", "depth")),
        ("growth_results.tsv", ("machine", "verb", "passages", "threads")),
    ):
        for row in rows_of_the_file(name):
            names = tuple(row[key] for key in keys)
            for measure, value in row.items():
                found[(*names, measure.replace(" of float32 products", ""))] = value
    return found


def cells_of(table: Table) -> Iterator[tuple[Cell, str]]:
    kind, _, machine = table.headings[0].partition(": ")
    headings = table.headings[1:]
    for label, *values in table.rows:
        count = FURTHER_KEYS.get(kind, 0)
        keys = values[:count]
        for heading, value in zip(headings[count:], values[count:], strict=True):
            if kind == RATE:
                yield (machine, label, heading, RATE), value
            elif kind in WORKS:
                yield (machine, kind, label, heading), value
            else:
                yield (machine, label, *keys, heading), value


def test_every_speed_on_the_page_is_in_the_files_and_every_contender_on_the_page():
    measured = cells_of_the_files()
    shown = set()
    for table in tables(PAGE):
        if table.headings[0].partition(": ")[0] not in KINDS:
            continue
        for cell, value in cells_of(table):
            if value:
                assert measured[cell] == value, cell
                shown.add(cell[:-1])
    assert shown == {cell[:-1] for cell in measured}
    assert len(shown) > 30
