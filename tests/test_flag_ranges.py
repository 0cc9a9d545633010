"""Every flag means what it can mean: each numeric flag of each verb and script refuses the rest."""

from argparse import Action, ArgumentParser
from collections.abc import Iterator

import pytest
from data_prep_runs import call, data_prep_module
from test_data_prep_commands import SCRIPTS
from test_flags import actions_of, parser_of

from rocketqa.cli.__main__ import VERBS
from rocketqa.cli.flags import NumberType, assignment, to_file, to_path, to_text
from rocketqa.cli.training_flags import init_source

# No number means these, whatever the flag.
NO_NUMBERS = ("nan", "inf", "-inf", "NaN", "Infinity", "1e999", "two", "", " ", "1_0", "0x1", "1,5")
FROM_1 = ("64", ("0", "-1", "-4", "1.5", "1e3", "3000000000"))
FROM_0 = ("0", ("-1", "1.5", "1e3", "3000000000"))
SEED = ("-7", ("1.5", "1e3"))
TOKENS = ("32", ("0", "-1", "7", "513", "32.0"))
PROBABILITY = ("0.1", ("-1", "1.1", "10"))
MEMORY = ("500MB", ("0", "-1", "0GB", "4", "100", "4 GiB"))
EPSILON = ("1e-5", ("0", "-1", "2"))
NUMBERS = {  # flag -> a good value, and further bad ones
    "--accumulate": FROM_1,
    "--b": PROBABILITY,
    "--bm25-weight": PROBABILITY,
    "--batch-size": FROM_1,
    "--batch-tokens": FROM_1,
    "--chunk-size": FROM_1,
    "--clip-norm": ("1e30", ("0", "-1")),
    "--count": FROM_1,
    "--depth": FROM_1,
    "--dev-articles": FROM_1,
    "--train-questions": FROM_1,
    "--dev-queries": FROM_1,
    "--entities": FROM_1,
    "--epochs": FROM_0,
    "--evaluate-every": FROM_0,
    "--fgm": ("0.01", ("-1",)),
    "--fill-depth": FROM_0,
    "--held-out": FROM_0,
    "--hidden-size": ("24", ("0", "-1", "100")),
    "--k1": ("0.82", ("-1",)),
    "--keep": FROM_0,
    "--largest": FROM_1,
    "--layer-norm-eps": EPSILON,
    "--layers": FROM_1,
    "--learning-rate": ("3e-5", ("0", "-1", "1e5", "3")),
    "--longer": TOKENS,
    "--loss-scale": ("32768", ("0", "-1", "1e300")),
    "--max-length": TOKENS,
    "--max-memory": MEMORY,
    "--max-negative": PROBABILITY,
    "--max-score": PROBABILITY,
    "--max-steps": FROM_1,
    "--memory": ("2.5", ("0", "-1")),
    "--min-positive": PROBABILITY,
    "--min-steps": FROM_0,
    "--names": FROM_1,
    "--negatives": FROM_1,
    "--negatives-per-row": FROM_1,
    "--num-shards": FROM_1,
    "--passage-length": TOKENS,
    "--passages": FROM_0,
    "--passages-per-fact": ("2", ("0", "-1", "1")),
    "--pause": ("0", ("-1",)),
    "--port": ("0", ("-1", "65536", "80.5")),
    "--query-length": TOKENS,
    "--relations": FROM_1,
    "--relations-per-entity": FROM_1,
    "--relevance-level": FROM_1,
    "--rerank-depth": FROM_1,
    "--cross-encoder-weight": PROBABILITY,
    "--retrieve-depth": FROM_1,
    "--rounds": FROM_1,
    "--rows": FROM_1,
    "--sample": FROM_1,
    "--save-every": FROM_1,
    "--seed": SEED,
    "--shard": ("2/3", ("0", "-1", "0/3", "4/3", "1/0")),
    "--size": ("3000000000", ("-1", "1.5")),
    "--sizes": FROM_1,
    "--processes": FROM_1,
    "--stride": FROM_1,
    "--synonyms": FROM_1,
    "--teacher-temperature": ("2", ("0", "-1", "nan")),
    "--teacher-weight": ("0.5", ("-1", "1.1")),
    "--timeout": ("60", ("0", "-1", "1e300")),
    "--train-queries": FROM_1,
    "--training-vectors": FROM_1,
    "--tries": FROM_1,
    "--unlabelled-queries": FROM_1,
    "--temperature": ("0.05", ("0", "-1", "nan")),
    "--warmup": ("0.1", ("100", "-3", "1.01")),
    "--weight-decay": ("0", ("-5", "-0.01")),
    "--words": FROM_1,
    "--weights": ("0", ("-1",)),
}


def parsers() -> Iterator[tuple[str, tuple[str, ...], ArgumentParser]]:
    """Yields the name, the sub-command and the parser of each verb and each script."""
    for verb in VERBS:
        parser = parser_of(verb)
        yield verb, (), parser
        for action in parser._actions:
            for name, sub_command in getattr(action.choices, "items", dict)():
                yield verb, (name,), sub_command
    for script in SCRIPTS:
        yield script, (), data_prep_module(script).build_parser()


def is_numeric(action: Action) -> bool:
    """Returns whether a flag takes numbers: those of a range, bytes, or a part of many."""
    name = getattr(action.type, "__name__", "")
    return isinstance(action.type, NumberType) or name in ("memory", "part_of_many")


def numeric_flags() -> list[tuple]:
    """Returns name, command and flag for each numeric flag of each parser."""
    cases = []
    for name, command, parser in parsers():
        for action in parser._actions:
            if action.option_strings and is_numeric(action):
                cases.append((name, command, action.option_strings[0]))
    return cases


CASES = numeric_flags()


def test_the_table_names_exactly_the_numeric_flags():
    assert {flag for _, _, flag in CASES} == NUMBERS.keys()
    assert len(CASES) > 80


def answer_of(name: str, words: list[str], capsys) -> str:
    """Returns what a parser says about a command line: nothing where all is well."""
    parser = data_prep_module(name).build_parser() if name in SCRIPTS else parser_of(name)
    try:
        parser.parse_args(words)
    except SystemExit as ended:
        assert ended.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name, command, flag", CASES)
def test_a_numeric_flag_refuses_in_one_line_what_it_cannot_mean(name, command, flag, capsys):
    _, bad = NUMBERS[flag]
    for value in (*NO_NUMBERS, *bad):
        line = answer_of(name, [*command, f"{flag}={value}"], capsys)
        assert f": {flag}: expected " in line, (value, line)
        got = " ".join(value.split()) or "an empty text"
        assert line.endswith(f", got {got}\n"), (value, line)
        assert line.count("\n") == 1


@pytest.mark.parametrize("name, command, flag", CASES)
def test_a_numeric_flag_takes_a_good_value(name, command, flag, capsys):
    good, _ = NUMBERS[flag]
    line = answer_of(name, [*command, flag, good], capsys)
    assert f"{flag}: " not in line
    assert ": expected " not in line


def test_every_other_flag_has_a_type_too():
    types = (to_file, to_path, to_text, init_source, assignment)
    names = ("folder_or_query", "folder_or_factory", "_to_uri", "parameters", "index_type")
    for name, _, parser in parsers():
        for action in actions_of(parser):
            switch = action.nargs == 0
            known = action.type in types or getattr(action.type, "__name__", "") in names
            assert (
                switch
                or action.choices
                or is_numeric(action)
                or known
                or (
                    # faiss reads them, and they may be empty.
                    action.dest in ("index_parameters", "parameters")
                )
            ), (name, action.dest)


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_path_or_text_is_refused(verb, capsys):
    for action in actions_of(parser_of(verb)):
        if action.type in (to_file, to_path, to_text, init_source) and verb != "benchmark":
            flags = action.option_strings
            count = action.nargs if isinstance(action.nargs, int) else 1
            words = [*flags[:1], *[""] * count]
            line = answer_of(verb, words, capsys)
            assert "expected a text, got an empty one\n" in line, (action.dest, line)


@pytest.mark.parametrize(
    "verb, flags, line",
    [
        (
            "train-dual-encoder",
            ["--warmup", "100"],
            "rocketqa train-dual-encoder: --warmup: expected a share of the steps, 0 to 1, got 100",
        ),
        (
            "train-cross-encoder",
            ["--learning-rate", "nan"],
            "rocketqa train-cross-encoder: --learning-rate: expected a rate above 0 and up to 1, "
            "such as 3e-5, got nan",
        ),
        (
            "train-dual-encoder",
            ["--decay", "cosine"],
            "rocketqa train-dual-encoder: --decay: expected one of 'linear', 'constant', "
            "got 'cosine'",
        ),
        (
            "encode",
            ["--dtype"],
            "rocketqa encode: --dtype: expected one argument, got none",
        ),
        (
            "retrieve",
            ["--max-memory", "4"],
            "rocketqa retrieve: --max-memory: expected bytes above 0 with their unit, "
            "such as 500MB or 4GiB, got 4",
        ),
        (
            "retrieve",
            ["--depth", "5"],
            "rocketqa retrieve: the following arguments are required: --output, --query-vectors, "
            "--passage-vectors (rocketqa retrieve --help shows the flags)",
        ),
    ],
)
def test_a_refusal_is_one_line_that_holds_the_cure(verb, flags, line, capsys):
    assert answer_of(verb, flags, capsys) == f"{line}\n"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--names", "2", "--entities", "5"], "--entities: expected at most 4, as many pairs of"),
        (["--relations", "3"], "--relations-per-entity: expected at most the 3 of --relations"),
        (["--entities", "1", "--relations-per-entity", "3"], "--entities: expected at least 4"),
        (["--names", "60000"], "--names, --synonyms: expected at most 100000 words, got 120072"),
    ],
)
def test_a_toy_world_that_cannot_be_is_refused(tmp_path, flags, message):
    status, line = call("toy.py", "--output", tmp_path / "toy", *flags)
    assert status == 2
    assert line.startswith(f"data_prep/toy.py: {message}")
    assert not list(tmp_path.iterdir())
