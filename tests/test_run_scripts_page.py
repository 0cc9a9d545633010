"""run_scripts/README.md names every script and variable, and has the values of the env files."""

import re

from page_tables import commands, name_in, table_with
from script_runs import ENVS, ROOT, variable_comments, variable_names, variable_values

FOLDER = ROOT / "run_scripts"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
VARIABLES = table_with(PAGE, "variable")
DATA_SETS = ("toy", "own", "marco", "nq")
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
    known = set(variable_names(ENVS[0]))
    assert len(commands(PAGE)) >= 10
    for words in commands(PAGE):
        assert words[0] in ("python", "rocketqa") or "sh" in words, words
        for word in words:
            name, is_assignment, _ = word.partition("=")
            assert not is_assignment or name in known, words
