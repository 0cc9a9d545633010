"""The tables of real flights in run_scripts/real_flights.md and the rows of real_flights.tsv agree.

A table of results begins with the heading "row" or "flight". A heading such as
"`quick-start` MRR@10, seed 1" names the flight, the measure and the seed of its column. If the
first heading is "flight", the other headings name the row instead of the flight. A cell of the
first column begins with the name of its row or flight.

The digest of a row is the beginning of the one that the page has for its data.
"""

import re
import statistics
from typing import NamedTuple

from page_tables import Table, name_in, table_with, tables
from script_runs import ROOT

PAGE = (ROOT / "run_scripts/real_flights.md").read_text(encoding="utf-8")
COLUMN = re.compile(r"`(?P<name>[^`]+)` (?P<measure>.+), seed (?P<seed>\d+)")
NUMBER = re.compile(r"\d+(\.\d+)?")
HEADER = "flight data digest weights seed commit row measure value".split()


class Key(NamedTuple):
    """What a value is a value of."""

    flight: str
    seed: str
    row: str
    measure: str


def is_table_of_results(table: Table) -> bool:
    columns = table.headings[1:]
    return all(COLUMN.fullmatch(heading) for heading in columns)


def key_of(table: Table, heading: str, label: str) -> Key:
    """Returns the key of the cell of a table of results in this column and this row."""
    column = COLUMN.fullmatch(heading)
    assert column
    seed, measure = column["seed"], column["measure"]
    if table.headings[0] == "flight":
        return Key(name_in(label), seed, column["name"], measure)
    assert table.headings[0] == "row"
    return Key(column["name"], seed, name_in(label), measure)


def values_of(table: Table) -> dict[Key, str]:
    """Returns the values of one table of results."""
    values = {}
    for label, *cells in table.rows:
        for heading, cell in zip(table.headings[1:], cells, strict=True):
            if cell:
                values[key_of(table, heading, label)] = cell
    return values


def values_on_the_page() -> dict[Key, str]:
    """Returns the values of all tables; a value that stands twice must be the same."""
    values: dict[Key, str] = {}
    for table in filter(is_table_of_results, tables(PAGE)):
        for key, value in values_of(table).items():
            assert values.setdefault(key, value) == value, key
    return values


def rows_of_the_file() -> list[dict[str, str]]:
    """Returns the rows of real_flights.tsv, by column."""
    text = (ROOT / "run_scripts/real_flights.tsv").read_text()
    header, *lines = text.splitlines()
    assert header.split("\t") == HEADER
    return [dict(zip(HEADER, line.split("\t"), strict=True)) for line in lines]


def test_every_value_on_the_page_is_in_the_file_and_the_other_way_round():
    in_file = {}
    for row in rows_of_the_file():
        key = Key(row["flight"], row["seed"], row["row"], row["measure"])
        assert key not in in_file, key
        in_file[key] = row["value"]
    assert len(in_file) > 100
    assert values_on_the_page() == in_file


def test_every_table_with_numbers_is_a_table_of_results():
    for table in tables(PAGE):
        cells = [cell for row in table.rows for cell in row]
        has_numbers = any(NUMBER.fullmatch(cell) for cell in cells)
        assert has_numbers == is_table_of_results(table), table.headings


def test_every_flight_has_its_data_weights_and_command_on_the_page():
    on_the_page = {}
    for flight, data, weights, _, scripts in table_with(PAGE, "scripts").rows:
        assert scripts, flight
        on_the_page[name_in(flight)] = (name_in(data), weights)
    in_file = {}
    for row in rows_of_the_file():
        in_file[row["flight"]] = (row["data"], row["weights"])
    assert on_the_page == in_file


def test_every_data_set_has_its_digest_on_the_page():
    rows = table_with(PAGE, "digest").rows
    names = {name_in(data) for data, _, _ in rows}
    assert names == {row["data"] for row in rows_of_the_file()}
    for _, _, digest in rows:
        assert re.fullmatch(r"`[0-9a-f]{64}`", digest)


def test_every_value_is_traced_to_the_digest_of_its_data_on_the_page():
    digests = {}
    for data, _, digest in table_with(PAGE, "digest").rows:
        digests[name_in(data)] = name_in(digest)
    for row in rows_of_the_file():
        assert row["digest"] == digests[row["data"]][:12], row


def test_every_value_has_weights_a_seed_and_the_commit_that_flew():
    commits: dict[tuple[str, str], set[str]] = {}
    for row in rows_of_the_file():
        assert row["weights"], row
        assert re.fullmatch(r"\d+", row["seed"]), row
        assert re.fullmatch(r"[0-9a-f]{7,40}", row["commit"]), row
        commits.setdefault((row["flight"], row["seed"]), set()).add(row["commit"])
    assert all(len(of_flight) == 1 for of_flight in commits.values())


ROWS_OF_README = [
    ("quick-start", "start"),
    ("quick-start", "in_batch"),
    ("quick-start", "dual_encoder_0"),
    ("quick-start", "hard_without_denoising"),
    ("quick-start", "dual_encoder_1"),
    ("quick-start", "dual_encoder_2"),
    ("quick-start-weighed", "fused_reranked"),
]


def test_the_column_of_squad_in_the_first_page_has_the_medians_of_its_seeds():
    found = values_on_the_page()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = table_with(readme, "SQuAD, by the full truth")
    for (flight, row), cells in zip(ROWS_OF_README, table.rows, strict=True):
        keys = [Key(flight, seed, row, "MRR@10 by the full truth") for seed in "123"]
        median = statistics.median(float(found[key]) for key in keys)
        assert cells[3] == f"{median:.2f}", row
