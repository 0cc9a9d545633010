"""run_scripts/README.md names every script and variable, and has the values of the env files."""

import re

from script_runs import ENVS, ROOT, variable_comments, variable_names, variable_values

PAGE = (ROOT / "run_scripts/README.md").read_text(encoding="utf-8")
HEADER = "| variable | meaning | unit | toy | own | marco | nq |"
LONG_VALUES = ("DATA_PREP", "ROWS", "RELEASED")
GENERATED = ("data/", "output/", "checkpoints/")


def rows_below(header: str) -> list[list[str]]:
    """Returns the cells of the table with this header."""
    lines = PAGE.split(f"{header}\n")[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_file_of_the_folder_is_named():
    for path in (ROOT / "run_scripts").iterdir():
        if path.name != "README.md":
            assert f"`{path.name}`" in PAGE, path.name


def test_every_variable_has_a_row_in_the_order_of_the_env_files():
    names = [row[0].strip("`") for row in rows_below(HEADER)]
    assert names == variable_names(ROOT / "run_scripts/toy.env")


def test_the_rows_have_the_meaning_and_the_unit_of_the_env_files():
    comments = [variable_comments(env) for env in ENVS]
    for name, meaning, unit, *_ in rows_below(HEADER):
        for comment in comments:
            explained = comment[name.strip("`")]
            assert explained.startswith(meaning), name
            assert f" Unit: {unit}. " in explained, name


def test_the_rows_have_the_values_of_the_env_files():
    names = ("toy", "own", "marco", "nq")
    values = [variable_values(ROOT / f"run_scripts/{name}.env") for name in names]
    for name, _, _, *cells in rows_below(HEADER):
        variable = name.strip("`")
        for cell, value_of in zip(cells, values):
            value = value_of[variable]
            shown = f"`{value}`" if value else "empty"
            if variable in LONG_VALUES and value:
                shown = "see the file"
            assert cell == shown, (variable, cell)


def test_every_path_on_the_page_exists():
    paths = re.findall(r"(?<![\w/])(?:run_scripts|data_prep|tests)/[\w./-]*\w", PAGE)
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path


def test_every_command_on_the_page_sets_known_variables():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    known = set(variable_names(ENVS[0]))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line for line in lines if line.strip()]
    assert len(commands) >= 10
    for command in commands:
        words = command.split("#")[0].split()
        assert words[0] == "python" or "sh" in words, command
        assignments = [word.split("=")[0] for word in words if re.match(r"[A-Z_\d]+=", word)]
        assert set(assignments) <= known, command
