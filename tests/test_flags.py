"""Values of flags are checked, and every flag of a verb belongs to its job unless it is named."""

from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace

import pytest

from rocketqa.cli.__main__ import VERBS
from rocketqa.cli.flags import finite, job_of, memory, positive, text_length


@pytest.mark.parametrize(
    "text, size",
    [("500MB", 500_000_000), ("4GiB", 4 * 2**30), ("1.5K", 1500), ("7", 7), ("2B", 2)],
)
def test_memory_is_read_with_its_unit(text, size):
    assert memory(text) == size


@pytest.mark.parametrize("text", ["", "0", "0GB", "-1", "GiB", "4XB", "1e9", "4 GiB", "iB", "4iB"])
def test_other_amounts_of_memory_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="expected bytes above 0, such as 500MB or 4GiB"):
        memory(text)


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        (positive, ["1", "12"], ["0", "-1", "1.5", "two", ""]),
        (text_length, ["8", "512"], ["7", "513", "-8", "x"]),
        (finite, ["0.1", "-3"], ["nan", "inf", "-inf"]),
    ],
)
def test_numbers_are_held_to_their_range(kind, good, bad):
    for text in good:
        assert kind(text) == float(text)
    for text in bad:
        with pytest.raises(ArgumentTypeError):
            kind(text)


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
