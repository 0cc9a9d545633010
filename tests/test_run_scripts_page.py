"""run_scripts/README.md names every script and variable, and has the values of the env files."""

import math
import re
import subprocess

from page_tables import commands, name_in, table_with
from script_runs import ENVS, ROOT, variable_comments, variable_names, variable_values

FOLDER = ROOT / "run_scripts"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
VARIABLES = table_with(PAGE, "variable")
DATA_SETS = ("toy", "own", "marco", "nq")
PLAN_PAST_MACHINE = PAGE.split("## The plan past this machine")[1].split("\n## ")[0]
RATES = table_with(PLAN_PAST_MACHINE, "rate")
COSTS = table_with(PLAN_PAST_MACHINE, "arithmetic")
# Values that are too long for a cell: the table refers to the env file.
LONG_VALUES = ("DATA_PREP", "ROWS", "RELEASED")


def test_every_file_of_the_folder_is_named():
    names = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert len(names) > 15
    for name in names:
        assert f"`{name}`" in PAGE, name


def test_every_variable_has_a_row_in_the_order_of_the_env_files():
    assert VARIABLES.headings == ["variable", "meaning", "unit", *DATA_SETS]
    names = [name_in(row[0]) for row in VARIABLES.rows]
    assert names == variable_names(FOLDER / "toy.env")


def test_the_rows_have_the_meaning_and_the_unit_of_the_env_files():
    for env in ENVS:
        comments = variable_comments(env)
        for variable, meaning, unit, *_ in VARIABLES.rows:
            comment = comments[name_in(variable)]
            assert comment.startswith(meaning), variable
            assert f" Unit: {unit}. " in comment, variable


def test_the_rows_have_the_values_of_the_env_files():
    for data_set in DATA_SETS:
        column = VARIABLES.headings.index(data_set)
        values = variable_values(FOLDER / f"{data_set}.env")
        for row in VARIABLES.rows:
            variable = name_in(row[0])
            value = values[variable]
            expected = f"`{value}`" if value else "empty"
            if value and variable in LONG_VALUES:
                expected = "see the file"
            assert row[column] == expected, (variable, data_set)


def test_every_path_on_the_page_exists():
    paths = re.findall(r"(?<![\w/])(?:run_scripts|data_prep|tests)/[\w./-]*\w", PAGE)
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path


def test_every_command_on_the_page_sets_known_variables():
    known = {*variable_names(ENVS[0]), "NODES", "NODE", "MASTER"}
    assert len(commands(PAGE)) >= 10
    for words in commands(PAGE):
        assert words[0] in ("python", "rocketqa") or "sh" in words, words
        for word in words:
            name, is_assignment, _ = word.partition("=")
            assert not is_assignment or name in known, words


def test_the_command_for_the_collection_as_it_is_now_makes_it(tmp_path):
    [command] = re.findall(r"^ *(awk .* > now\.tsv)$", PAGE, re.MULTILINE)
    (tmp_path / "collection.tsv").write_text("a\t\told\nb\tb c\tgone\nc\t\tb\n")
    (tmp_path / "gone-1.txt").write_text("b\na\n")
    (tmp_path / "added-1.tsv").write_text("a\t\tnew\nd\t\tmore\n")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "now.tsv").read_text() == "c\t\tb\na\t\tnew\nd\t\tmore\n"


def number_in(cell: str) -> float:
    return float(cell.replace(",", ""))


def test_the_costs_of_the_plan_are_their_arithmetic_with_the_rates():
    rates = {name_in(row[0]): number_in(row[1]) for row in RATES.rows}
    sizes = [number_in(cell) for cell in COSTS.rows[0][1:4]]
    assert len(rates) >= 10 and len(COSTS.rows) >= 15
    for name, *cells, _, formula in COSTS.rows:
        for cell, passages in zip(cells, sizes):
            known = {"ceil": math.ceil, "N": passages, **rates}
            cost = eval(name_in(formula), known)
            decimals = len(cell.partition(".")[2])
            assert number_in(cell) == round(cost, decimals), (name, cost)


def test_the_rates_of_the_plan_are_on_the_pages_that_it_names():
    other_pages = 0
    for name, value, _, source in RATES.rows:
        if source.startswith("`"):
            page = (ROOT / name_in(source)).read_text(encoding="utf-8")
            heading = source.split('"')[1]
            section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
            assert re.search(rf"(?<![\d.,]){re.escape(value)}(?![\d,])", section), name
            other_pages += 1
    assert other_pages >= 4
