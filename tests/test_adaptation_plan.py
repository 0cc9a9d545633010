"""The plan of an adaptation counts the parts of the log, and which judgements are there."""

import re

import pytest
from data_prep_runs import ROOT, write
from script_runs import variable_values

from rocketqa.training.adaptation_plan import HELD_OUT, AdaptationPlan, below_adapted
from rocketqa.training.preflight import files_of_adaptation

OWN = variable_values(ROOT / "run_scripts/own.env")


@pytest.fixture
def variables(tmp_path):
    log = "".join(f"u{number}\tword\n" for number in range(2000))
    write(tmp_path, collection__tsv="p\t\tword\n" * 900, queries__unlabelled__tsv=log)
    return OWN | {"DATA_DIR": str(tmp_path)}


def planned(variables) -> str:
    return "\n".join(AdaptationPlan(variables).lines())


def test_a_tenth_of_the_log_is_held_out(variables):
    lines = planned(variables)
    assert "score for log_train, at most: 1,800 queries x 20 = 36,000 pairs" in lines
    uncalibrated = planned(variables | {"HELD_OUT": "0"})
    assert "score for log_train: 1,800 queries x 20 = 36,000 pairs" in uncalibrated
    assert "1,800 rows / (32 x 1 = 32) = 56 steps x 1 epochs = 56, then on to 60" in lines
    assert "score for log_judged, 2 runs: 400 queries x 20 = 8,000 pairs" in lines
    assert "fusion:" not in planned(variables | {"FUSE": "no"})


def test_the_script_holds_out_as_many_queries_as_the_plan():
    script = (ROOT / "run_scripts/adapt.sh").read_text(encoding="utf-8")
    assert re.findall(r"--count (\d+)", script) == [str(HELD_OUT)]


def test_the_models_are_measured_by_labels_only_where_all_of_them_are_there(variables, tmp_path):
    write(tmp_path, queries__dev__tsv="q1\tword\n" * 70)
    assert "retrieve for log_judged: 200 queries" in planned(variables)
    assert files_of_adaptation(variables) == ["collection.tsv", "queries.unlabelled.tsv"]
    write(tmp_path, qrels__dev__tsv="q1\t0\tp\t1\n")
    assert "retrieve for dev: 70 queries" in planned(variables)
    assert files_of_adaptation(variables)[2:] == ["queries.dev.tsv", "qrels.dev.tsv"]
    assert len(files_of_adaptation(variables | {"EVALUATE_BY": "answers"})) == 2


def test_the_folders_of_an_adaptation_are_apart_from_those_of_a_flight():
    folders = below_adapted({"OUTPUT_DIR": "output/own", "CHECKPOINT_DIR": "c", "DATA_DIR": "d"})
    assert folders == {
        "OUTPUT_DIR": "output/own/adapted",
        "CHECKPOINT_DIR": "c/adapted",
        "DATA_DIR": "d",
    }
