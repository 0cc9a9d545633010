"""The tables of real flights in run_scripts/README.md and the rows of real_flights.tsv agree.

A table of results begins with the heading "row" or "flight". A heading such as
"`wikipedia` MRR@10, seed 1" names the flight, the measure and the seeds of its column. If the first
heading is "flight", the other headings name the row instead of the flight. A cell of the first
column begins with the name of its row or flight.
"""

import re
from collections.abc import Iterator

from script_runs import ROOT

PAGE = (ROOT / "run_scripts/README.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## Flights on real text\n")[1]
COLUMN = re.compile(r"`([^`]+)` (.+), seeds? ([\d ]+)")
HEADER = ["flight", "data", "weights", "seed", "row", "measure", "value"]


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yields each table as rows of cells, the headings first, without the line below them."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = []
        for line in block.splitlines():
            cells = line.strip().removeprefix("|").removesuffix("|").split("|")
            rows.append([cell.strip() for cell in cells])
        del rows[1]
        yield rows


def first_name(cell: str) -> str:
    """Returns the first word in backticks of a cell."""
    return cell.split("`")[1]


def values_on_the_page() -> dict[tuple[str, ...], str]:
    """Returns (flight, seed, row, measure) -> value from the tables of results."""
    values: dict[tuple[str, ...], str] = {}
    for (first, *headings), *rows in tables(SECTION):
        columns = [COLUMN.fullmatch(heading) for heading in headings]
        if not all(columns):
            continue
        assert first in ("row", "flight")
        for label, *cells in rows:
            assert len(cells) == len(columns), label
            for column, cell in zip(columns, cells):
                named, measure, seed = column.groups()
                flight, row = named, first_name(label)
                if first == "flight":
                    flight, row = row, flight
                key = (flight, seed, row, measure)
                if cell:
                    assert values.setdefault(key, cell) == cell, key
    return values


def rows_of_the_file() -> list[dict[str, str]]:
    header, *lines = (ROOT / "run_scripts/real_flights.tsv").read_text().splitlines()
    assert header.split("\t") == HEADER
    return [dict(zip(HEADER, line.split("\t"), strict=True)) for line in lines]


def test_every_value_on_the_page_is_in_the_file_and_the_other_way_round():
    in_file = {}
    for row in rows_of_the_file():
        key = (row["flight"], row["seed"], row["row"], row["measure"])
        assert key not in in_file, key
        in_file[key] = row["value"]
    assert len(in_file) > 100
    assert values_on_the_page() == in_file


def test_every_table_with_a_number_in_percent_is_a_table_of_results():
    for headings, *rows in tables(SECTION):
        cells = [cell for row in rows for cell in row]
        has_numbers = any(re.fullmatch(r"\d+(\.\d+)?( to \d+)?", cell) for cell in cells)
        assert has_numbers == all(COLUMN.fullmatch(heading) for heading in headings[1:]), headings


def test_every_flight_has_its_data_weights_and_command_on_the_page():
    commands = next(rows for rows in tables(SECTION) if rows[0][-1] == "scripts")
    on_the_page = {}
    for flight, data, weights, _, scripts in commands[1:]:
        assert scripts, flight
        on_the_page[first_name(flight)] = (first_name(data), weights)
    in_file = {row["flight"]: (row["data"], row["weights"]) for row in rows_of_the_file()}
    assert on_the_page == in_file


def test_every_data_set_has_its_digest_on_the_page():
    digests = next(rows for rows in tables(SECTION) if rows[0][-1] == "digest")
    named = {first_name(data) for data, _, _ in digests[1:]}
    assert named == {row["data"] for row in rows_of_the_file()}
    for _, _, digest in digests[1:]:
        assert re.fullmatch(r"`[0-9a-f]{64}`", digest)


def test_the_mean_of_the_seeds_is_their_mean():
    values = values_on_the_page()
    for (flight, seed, row, measure), value in values.items():
        of_seeds = [values.get((flight, one, row, measure)) for one in seed.split()]
        if len(of_seeds) == 3 and all(of_seeds):
            mean = sum(map(float, of_seeds)) / 3
            assert abs(mean - float(value)) < 0.01, (flight, row, measure)
