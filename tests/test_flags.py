"""Values of flags are checked, and every flag of a verb belongs to its job unless it is named."""

from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace

import pytest

from rocketqa.cli.__main__ import VERBS
from rocketqa.cli.flags import NumberType, assignment, job_of, memory, to_file, to_path, to_text
from rocketqa.files.ranges import WHOLE_FROM_1


@pytest.mark.parametrize(
    "text, size",
    [
        ("500MB", 500_000_000),
        ("4GiB", 4 * 2**30),
        ("1.5K", 1500),
        ("7B", 7),
        ("1000000", 1_000_000),
    ],
)
def test_memory_is_read_with_its_unit(text, size):
    assert memory(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0GB",
        "-1",
        "GiB",
        "4XB",
        "1e9",
        "4 GiB",
        "iB",
        "4iB",
        "4",
        "999999",
        "1.5",
        "9" * 99,
    ],
)
def test_other_amounts_of_memory_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="expected bytes above 0 with their unit, such as "):
        memory(text)


def test_the_type_of_a_flag_gives_the_number_or_argparse_s_error():
    assert NumberType(WHOLE_FROM_1)("12") == 12
    with pytest.raises(ArgumentTypeError, match="^expected a whole number from 1, got two$"):
        NumberType(WHOLE_FROM_1)("two")


@pytest.mark.parametrize("home", ["~", "~/x"])
def test_a_home_that_the_shell_has_left_is_no_path(home):
    with pytest.raises(ArgumentTypeError, match="whose ~ only a shell knows"):
        to_path(home)


def test_a_folder_for_a_file_is_refused_before_anything_of_it_is_read(tmp_path):
    with pytest.raises(ArgumentTypeError, match="expected a file, got the folder"):
        to_file(str(tmp_path))
    assert to_file(str(tmp_path / "a.run")) == tmp_path / "a.run"


def test_paths_and_texts_are_not_empty(tmp_path):
    assert to_path(str(tmp_path)) == tmp_path
    assert to_text("a b") == "a b"
    for kind in (to_path, to_text):
        with pytest.raises(ArgumentTypeError, match="^expected a text, got an empty one$"):
            kind(" ")


def test_variables_are_words_with_an_equals_sign():
    assert assignment("ROWS=") == "ROWS="
    assert assignment("RATES=train=1 cross=2") == "RATES=train=1 cross=2"
    for word in ("ROWS", "=1", "", "two words=1"):
        with pytest.raises(ArgumentTypeError, match="^expected NAME=VALUE, got "):
            assignment(word)


def test_every_flag_belongs_to_the_job_unless_it_is_named(tmp_path):
    (tmp_path / "in").write_text("1")
    args = Namespace(
        output=tmp_path / "out", check=False, run=tmp_path / "in", depth=5, speed=3, qrels=None
    )
    job = job_of("verb", args, inputs=("run", "qrels"), not_identity=("speed",), tokenizer="t")
    assert job.identity["flags"] == {"depth": 5, "qrels": None, "tokenizer": "t"}
    assert set(job.identity["inputs"]) == {"run"}


def parser_of(verb: str) -> ArgumentParser:
    import importlib

    return importlib.import_module(f"rocketqa.cli.{verb.replace('-', '_')}").build_parser()


def actions_of(parser: ArgumentParser):
    """Yields the flags of a parser and of its sub-commands."""
    for action in parser._actions:
        if action.choices and hasattr(action.choices, "values"):
            for sub_command in action.choices.values():
                yield from actions_of(sub_command)
        elif action.dest != "help":
            yield action


def has_default(action: Action, parser: ArgumentParser) -> bool:
    """Returns whether a flag may be left out: it is not required, nor is one of its group."""
    for group in parser._mutually_exclusive_groups:
        if group.required and action in group._group_actions:
            return False
    return bool(action.option_strings) and not action.required


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_has_help_and_shows_its_default(verb):
    parser = parser_of(verb)
    for action in actions_of(parser):
        assert action.help, (verb, action.dest)
        if has_default(action, parser) and action.dest not in ("output", "check"):
            assert "default" in action.help, (verb, action.dest)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(verb):
    shown = parser_of(verb).format_help()
    assert "example: " in shown or verb == "benchmark", verb
