"""What the pages say is there: paths, commands, flags, rooms, marks of deviations."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_flags import actions_of, parser_of
from test_imports import ROWS

from rocketqa.cli.__main__ import VERBS

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "rocketqa/README.md",
    "run_scripts/README.md",
    "run_scripts/real_flights.md",
    "data_prep/README.md",
    "tests/README.md",
    "checkpoints/README.md",
)
GENERATED = ("data/", "output/", ".venv", "checkpoints/")
LONGEST_README = 200  # lines
# `page`, "Title"; or "Title" above
REFERENCE = re.compile(r'(?:`([\w/]+\.md)`, )?"([A-Z][^"`]*?)[.,]?"( (?:above|below))?')


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def shell_commands(page: str) -> list[str]:
    """Returns the lines of the shell blocks, comments left out, continued lines joined."""
    commands = []
    for block in re.findall(r"```sh\n(.*?)```", text_of(page), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            commands.append(re.sub(r"\s#\s.*", "", line).strip())
    return [command for command in commands if command]


def project_files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def paths_in(page: str) -> set[str]:
    """Returns what looks like a path of the project in the inline code of a page."""
    inline = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    paths = set()
    for code in re.findall(r"`([^`\n]+)`", inline):
        for word in re.findall(
            r"(?<![\w/~])[\w-][\w./-]*(?:\.(?:py|sh|env|tsv|c)\b|/(?=$|\s))", code
        ):
            paths.add(word)
    return {path for path in paths if not path.startswith(GENERATED)}


def stands_for_a_file(path: str, page: str) -> bool:
    """Returns whether a path is there: from the root, from the page's folder, or in its package."""
    folders = (ROOT, (ROOT / page).parent, ROOT / "rocketqa")
    return any((folder / path).exists() for folder in folders)


FORMS_OF_DATA = re.compile(
    r"(collection|queries|qrels|answers|spans|examples|truth|ablation|report|choice|held_out|decision|"
    r"dual_encoder_\d)\b.*\.tsv"
)
OTHERS = {
    *("train_log.tsv", "nq_eval.py", "reader_de.py", "reader_ce.py", "optimization.py"),
    *(
        "bm25.train.run",
        "by_rank.tsv",
        "test_NAME.py",
        "OUTPUT.part/",
        "best/",
        "marco.env",
        "nq.env",
        "_fixture.py",
    ),
}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page):
    paths = paths_in(page) - OTHERS
    paths = {path for path in paths if not FORMS_OF_DATA.fullmatch(path.rpartition("/")[2])}
    assert not {path for path in paths if not stands_for_a_file(path, page)}


@pytest.mark.parametrize("page", PAGES)
def test_every_section_that_a_page_refers_to_is_there(page):
    """A section is a heading, or a paragraph that begins in bold letters."""
    for named, title, place in REFERENCE.findall(" ".join(text_of(page).split())):
        if not named and not place:
            continue
        sections = re.findall(r"^(?:#+ |(?:- )?\*\*)(.*)$", text_of(named or page), re.MULTILINE)
        assert any(line.startswith(title) for line in sections), (named, title)


def test_the_pages_name_many_paths():
    assert sum(len(paths_in(page)) for page in PAGES) > 80


@pytest.mark.parametrize("page", PAGES)
def test_every_script_that_is_called_is_there_with_its_env_file(page):
    known = set(re.findall(r"^([A-Z]\w*)=", text_of("run_scripts/toy.env"), re.MULTILINE))
    known |= {"PADDLE", "PYTHON", "GPU", "PEERS_PYTHON", "KILLS", "KILL_SEED", "DAMAGES"}
    known |= {"CUTS", "CUT_SEED", "NODES", "NODE", "MASTER"}
    for command in shell_commands(page):
        match = re.search(r"\bsh (run_scripts/\w+\.sh)(.*)", command)
        if not match:
            continue
        script, arguments = match.groups()
        assert (ROOT / script).is_file(), command
        for argument in arguments.split():
            if argument.endswith(".env"):
                assert (ROOT / argument).is_file(), command
            if argument in ("--plan", "--released"):
                assert argument in text_of(script), command
        variables = re.findall(r"\b([A-Z][A-Z0-9_]+)=", command[: match.start()])
        assert set(variables) <= known, command


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_and_flag_of_a_command_exists(page):
    for command in shell_commands(page):
        match = re.search(r"(?:^|\s)rocketqa ([a-z-]+)(.*)", command)
        if match and match[1] in ("VERB", "--help"):
            continue
        if match:
            assert match[1] in VERBS, command
            known = {
                flag for action in actions_of(parser_of(match[1])) for flag in action.option_strings
            }
            assert set(re.findall(r"(?<!\S)--[a-z-]+", match[2])) <= known, command


def test_the_flags_that_the_scripts_pass_are_known_to_the_verbs():
    checked = 0
    for script in (ROOT / "run_scripts").glob("*.sh"):
        text = script.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            match = re.match(
                r"^[^#]*?(?:rocketqa|launch \"\$DEVICES\w*\") ([a-z]+-?[a-z-]*) (--.*)", line
            )
            if not match:
                continue
            verb, flags = match.groups()
            known = {
                flag for action in actions_of(parser_of(verb)) for flag in action.option_strings
            }
            for plain, added in re.findall(r"(?<!\S)(--[a-z][a-z0-9-]*)|[+](--[a-z-]+)", flags):
                assert plain + added in known, (script.name, verb, plain + added)
                checked += 1
    assert checked > 30


def test_every_verb_has_help_that_begins_with_its_usage():
    for verb in VERBS:
        assert parser_of(verb).format_help().startswith(f"usage: rocketqa {verb}")


def test_the_command_lists_the_verbs_in_the_order_of_work():
    words = [sys.executable, "-m", "rocketqa.cli"]
    usage = subprocess.run(words, capture_output=True, text=True)
    assert usage.returncode == 2
    assert tuple(re.findall(r"^  (\S+)  *\S", usage.stdout, re.MULTILINE)) == VERBS


def test_the_first_page_can_be_read_in_ten_minutes():
    assert len(text_of("README.md").splitlines()) <= LONGEST_README


def test_the_tree_names_every_room_and_module_of_the_method():
    tree = text_of("README.md").split("## The tree")[1].split("```")[1]
    folders = {
        path.name for path in (ROOT / "rocketqa").iterdir() if (path / "__init__.py").exists()
    }
    for name in folders:
        assert f"  {name}/ " in tree, name
    for path in (ROOT / "rocketqa").glob("*.py"):
        assert path.name in tree or path.name == "__init__.py"


def test_the_table_of_rooms_is_that_of_the_imports():
    table = text_of("rocketqa/README.md").split("| layer | room |")[1].split("\n\n")[0]
    rows = [line.split("|")[2] for line in table.splitlines()[2:]]
    assert len(rows) == len(ROWS)
    for cell, entries in zip(rows, ROWS):
        named = set(re.findall(r"`([^`]+)`", cell))
        for entry in entries:
            path = entry.replace(".", "/")
            assert {f"{path}.py", f"{path}/"} & named or "." in entry, (entry, cell)


def test_every_script_of_data_prep_is_named_on_its_page():
    page = text_of("data_prep/README.md")
    for path in (ROOT / "data_prep").glob("*.py"):
        assert f"`{path.name}`" in page or f"data_prep/{path.name}" in page, path.name


def test_every_mark_of_a_deviation_has_a_row():
    rows = text_of("rocketqa/README.md").split("## Deviations")[1]
    marks = 0
    for path in project_files():
        if path.startswith(("rocketqa/", "run_scripts/")) and path.endswith((".py", ".sh")):
            for mark in ("# Deviation:", "# Official code:"):
                if mark in text_of(path):
                    assert re.search(rf"`{mark}`.*`{path}`", rows), (mark, path)
                    marks += 1
    assert marks >= 10


def test_the_top_level_holds_the_seven_names():
    visible = {path.split("/")[0] for path in project_files() if not path.startswith(".")}
    assert visible == {
        *("setup.py", "README.md", "rocketqa", "run_scripts", "data_prep", "checkpoints", "tests")
    }
