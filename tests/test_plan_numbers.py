"""ROWS and RATES hold numbers by name, and a wrong word is named with its variable."""

import pytest
from script_runs import ROOT, run_script, variable_values

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import ABOVE_0, WHOLE_FROM_0
from rocketqa.training.plan import PipelinePlan
from rocketqa.training.plan_numbers import depth_is_chosen, parse_numbers, tokens_on_disk


def test_numbers_are_read_by_name():
    assert parse_numbers(" train=1000  cross=50.5 ", ("train", "cross"), "RATES", ABOVE_0) == {
        "train": 1000,
        "cross": 50.5,
    }
    assert parse_numbers("", ("train",), "RATES", ABOVE_0) == {}
    assert parse_numbers("a=0", ("a",), "ROWS", WHOLE_FROM_0) == {"a": 0}


@pytest.mark.parametrize(
    "text, message",
    [
        ("fast", "RATES: expected words NAME=NUMBER of train, cross, each once, got fast"),
        ("encode=1", "RATES: expected words NAME=NUMBER of train, cross, each once, got encode=1"),
        ("train", "RATES: expected words NAME=NUMBER of train, cross, each once, got train"),
        ("train=1 train=2", "RATES: expected words NAME=NUMBER of train, cross, each once, got t"),
        ("train=0", "RATES: train: expected a finite number above 0, got 0"),
        ("train=nan", "RATES: train: expected a finite number above 0, got nan"),
        ("train=", "RATES: train: expected a finite number above 0, got an empty text"),
        ("train=-5", "RATES: train: expected a finite number above 0, got -5"),
    ],
)
def test_a_wrong_word_is_named_with_its_variable(text, message):
    with pytest.raises(DataError) as error:
        parse_numbers(text, ("train", "cross"), "RATES", ABOVE_0)
    assert str(error.value).startswith(message)


def test_rows_are_whole_numbers():
    with pytest.raises(DataError, match="^ROWS: a: expected a whole number from 0, got 1.5$"):
        parse_numbers("a=1.5", ("a",), "ROWS", WHOLE_FROM_0)


def test_tokens_are_on_disk_for_both_kinds_of_model():
    rows = {"collection": 1000, "queries.train": 10, "queries.dev": 5, "qrels.train": 99}
    assert tokens_on_disk(rows) == (
        "1,000 passages and 15 queries, for each of two kinds of model",
        2 * (1000 * 190 + 15 * 50),
    )


def test_a_depth_is_planned_as_chosen_only_where_the_script_chooses_it():
    calibrated = {"THRESHOLDS": "calibrated", "HELD_OUT": "200", "FILL_DEPTH": "0"}
    assert depth_is_chosen(calibrated)
    for change in ({"THRESHOLDS": "paper"}, {"HELD_OUT": "0"}, {"FILL_DEPTH": "1000"}):
        assert not depth_is_chosen(calibrated | change)


def test_what_needs_unlabelled_queries_is_not_planned_where_the_scripts_go_on_without(tmp_path):
    (tmp_path / "queries.train.tsv").write_text("q\ttext\n" * 800)
    own = variable_values(ROOT / "run_scripts/own.env") | {"DATA_DIR": str(tmp_path)}
    lines = "\n".join(PipelinePlan(own).lines())
    assert "stage 4" not in lines and "unlabelled" not in lines
    assert "stage 5, beyond the paper:\n  encode with dual_encoder_1: " in lines
    for strict in ({"THRESHOLDS": "paper"}, {"DATA_PREP": "true"}):
        lines = "\n".join(PipelinePlan(own | strict).lines())
        assert "stage 4:\n" in lines and "score for unlabelled" in lines


def test_pairs_of_drawn_queries_are_planned_once(tmp_path):
    (tmp_path / "queries.train.tsv").write_text("q\ttext\n" * 800)
    (tmp_path / "queries.unlabelled.tsv").write_text("q\ttext\n" * 100)
    own = variable_values(ROOT / "run_scripts/own.env")
    own |= {"DATA_DIR": str(tmp_path), "DENOISE_DEPTH": "20", "AUGMENT_DEPTH": "10"}
    lines = "\n".join(PipelinePlan(own).lines())
    assert "score for train, at most: 800 queries x 20 = 16,000 pairs" in lines
    assert "score for unlabelled, at most: 100 queries x 10 = 1,000 pairs" in lines
    lines = "\n".join(PipelinePlan(own | {"THRESHOLDS": "paper"}).lines())
    assert "score for train: 800 queries x 20 = 16,000 pairs" in lines


def test_the_cross_encoder_learns_random_negatives_first_where_steps_are_given_for_them():
    marco = ("rocket.sh", "run_scripts/marco.env", "--plan")
    lines = run_script(*marco, DATA_DIR="nowhere", EASY_STEPS_CROSS="70").stdout.splitlines()
    (steps,) = (line for line in lines if "train cross_encoder_easy: " in line)
    assert "of which 70 are taken" in steps
    (examples,) = (line for line in lines if "sample-negatives" in line and "easy" in line)
    assert "--collection nowhere/collection.tsv" in examples and "--run" not in examples
    easy, last = (line for line in lines if "train-cross-encoder" in line)
    assert "examples.cross.easy.tsv" in easy and "--max-steps 70" in easy
    first = easy.split("--output ")[1].split()[0]
    assert f"--init {first}" in last and "--examples output/marco/examples.cross.tsv" in last
    assert "cross_encoder_easy" not in run_script(*marco, DATA_DIR="nowhere").stdout
