"""Every variable of an env file is checked as the script and the flag need it that take it."""

import re
from argparse import ArgumentTypeError

import pytest
from script_runs import ENVS, ROOT, variable_names, variable_values
from test_flags import actions_of, parser_of

from rocketqa.training.flight_variables import VARIABLES, wrong_variables

SOUND = variable_values(ROOT / "run_scripts/own.env")
# No value of one variable depends on another.
ALONE = SOUND | {"MIN_POSITIVE": "1", "MAX_NEGATIVE": "0", "DISTIL": "no"}
SAMPLES = ("", "0", "1", "-1", "0.5", "1e-5", "100", "1000", "nan", "inf", "two", "1 2", "linear")


def fault_of(name: str, value: str) -> str:
    """Returns what is wrong where one variable of own.env has this value."""
    return dict(wrong_variables(ALONE | {name: value})).get(name, "")


@pytest.mark.parametrize("env", ENVS, ids=lambda path: path.name)
def test_the_env_files_have_these_variables_and_sound_values(env):
    assert variable_names(env) == list(VARIABLES)
    assert list(wrong_variables(variable_values(env))) == []


@pytest.mark.parametrize(
    "name, value, fault",
    [
        ("DATA_DIR", "", "expected a path, got an empty text"),
        ("DATA_DIR", "~/data", "expected a path, got ~/data, whose ~ only a shell understands"),
        ("OUTPUT_DIR", "-o", "expected a path, got -o, which begins like a flag"),
        ("INIT", "", "expected a path, got an empty text"),
        ("SEED", "one", "expected a whole number, got one"),
        ("DEVICES", "0", "expected a whole number from 1, got 0"),
        ("BATCH_SIZE", "two", "expected a whole number from 1, got two"),
        ("EPOCHS_CROSS", "-1", "expected a whole number from 0, got -1"),
        ("MAX_STEPS", "-3", "expected a whole number from 1, got -3"),
        ("WARMUP", "100", "expected a share of the steps, 0 to 1, got 100"),
        ("MAX_NEGATIVE", "10", "expected a probability, 0 to 1, got 10"),
        ("RECOMPUTE", "maybe", "expected yes or no, got maybe"),
        ("TABLES", "", "expected yes or no, got an empty text"),
        ("POSITIVES", "label", "expected labels or answers, got label"),
        ("PAPER_FLIGHT", "msmarco", "expected marco or nq or none, got msmarco"),
        ("ABLATION_SEEDS", "1 b", "expected a whole number, got b"),
        ("ABLATION_SEEDS", " ", "expected one word or more, got an empty text"),
        ("FIGURE_PARTS", "50 101", "expected a whole number of percent, 1 to 100, got 101"),
        ("EVALUATE_SPLIT", "dev.tsv", "the SPLIT of a file queries.SPLIT.tsv, such as dev"),
        ("RATES", "train=fast", "train: expected a finite number above 0, got fast"),
        ("ROWS", "col=7", "expected words NAME=NUMBER of collection, queries.train"),
        ("RELEASED", "mine=v1_marco_de", "expected words MODEL=SOURCE with a MODEL of dual_enc"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(name, value, fault):
    assert fault in fault_of(name, value)


def test_the_end_of_a_line_of_windows_is_shown():
    assert fault_of("OUTPUT_DIR", "output\r").endswith(r"got 'output\r'")
    assert fault_of("EVALUATE_BY", "labels\r").endswith(r"got 'labels\r'")


@pytest.mark.parametrize("value", ["output/my flight", "/data/été", "a=b/c"])
def test_a_path_may_have_blanks_and_signs_of_any_script(value):
    assert not fault_of("OUTPUT_DIR", value)


def test_a_missing_and_an_unknown_variable_are_named():
    variables = {name: value for name, value in SOUND.items() if name != "BATCH_SIZE"}
    faults = dict(wrong_variables(variables | {"LERNING_RATE": "1", "XYZ": "2"}))
    explained = "run_scripts/toy.env explains every variable"
    assert faults == {
        "BATCH_SIZE": f"expected a value, got none ({explained})",
        "LERNING_RATE": "expected a known variable, got this name (did you mean LEARNING_RATE?)",
        "XYZ": f"expected a known variable, got this name ({explained})",
    }


def test_the_passages_of_stage_5_are_drawn_from_more_than_there_will_be():
    distilled = SOUND | {"DISTIL": "yes", "DISTIL_NEGATIVES": "7", "DISTIL_DEPTH": "7"}
    fault = "expected more than the 7 of DISTIL_NEGATIVES, got 7"
    assert list(wrong_variables(distilled)) == [("DISTIL_DEPTH", fault)]
    for changed in ({"DISTIL_DEPTH": "8"}, {"DISTIL": "no"}):
        assert not list(wrong_variables(distilled | changed))
    faults = dict(wrong_variables(distilled | {"DISTIL_NEGATIVES": "many"}))
    assert list(faults) == ["DISTIL_NEGATIVES"]


def flags_of_variables() -> set[tuple[str, str, str]]:
    """Returns (variable, verb, flag) wherever a script passes a variable on as a flag."""
    found = set()
    for script in (ROOT / "run_scripts").glob("*.sh"):
        text = script.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            verb = re.search(r"(?:rocketqa|launch \"\$DEVICES\w*\") ([a-z]+-?[a-z-]*) --", line)
            for flag, name in re.findall(r'(--[a-z-]+) "\$([A-Z][A-Z0-9_]*)"', line):
                if verb and name in VARIABLES:
                    found.add((name, verb[1], flag))
    return found


def is_taken(verb: str, flag: str, value: str) -> bool:
    """Returns whether a verb takes this value of a flag."""
    [action] = [found for found in actions_of(parser_of(verb)) if flag in found.option_strings]
    if action.choices is not None:
        return value in action.choices
    try:
        (action.type or str)(value)
    except (ArgumentTypeError, ValueError):
        return False
    return True


def test_a_variable_that_becomes_a_flag_has_the_range_of_the_flag():
    pairs = flags_of_variables()
    assert len(pairs) > 25
    for name, verb, flag in sorted(pairs):
        # --paper-flight takes any name that the file of the paper's numbers has, --init any text.
        if flag in ("--paper-flight", "--init"):
            continue
        for value in SAMPLES:
            if not value and not fault_of(name, ""):
                continue  # the script leaves the flag out
            assert is_taken(verb, flag, value) == (not fault_of(name, value)), (name, flag, value)
