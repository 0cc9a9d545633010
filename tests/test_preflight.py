"""A flight that cannot end well is refused before it starts: every reason, a line each, and nothing
is made.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from broken_flights import FAULTS, NOTHING, OF_MACHINE
from flight_fixture import files_below, write_flight
from published_models import add_pooling, write_model
from script_runs import ROOT, sh, variable_values
from toy_files import ENVIRONMENT, verb

from rocketqa.training.preflight import NEEDS, Flight, files_of_data, refusals


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_flight_is_refused_in_one_line_and_nothing_is_made(tmp_path, fault):
    env = write_flight(tmp_path)
    damage, line = FAULTS[fault]
    variables = {"PYTHONDONTWRITEBYTECODE": "1"} | damage(tmp_path)
    before = files_below(tmp_path)
    done = sh("run_scripts/rocket.sh", str(env), **variables)
    assert done.returncode == 2, done.stdout
    refusal, last = done.stderr.splitlines()
    assert refusal.startswith(line.replace("FOLDER", str(tmp_path)))
    assert last == (
        "rocket.sh: nothing was started; mend the line above and call again (relative paths are "
        f"relative to {ROOT})"
    )
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("fault", ["no collection", "cut weights", "a batch of words", *OF_MACHINE])
def test_a_plan_says_the_same_refusals_and_makes_nothing(tmp_path, fault):
    env = write_flight(tmp_path)
    damage, line = FAULTS[fault]
    variables = damage(tmp_path)
    before = files_below(tmp_path)
    done = sh("run_scripts/rocket.sh", str(env), "--plan", **variables)
    line = line.replace("FOLDER", str(tmp_path))
    # A plan is often made on another machine than the flight.
    if fault in OF_MACHINE:
        assert done.returncode == 0
        assert done.stderr.startswith(f"on this machine: {line}")
    else:
        assert done.returncode == 2
        assert done.stderr.startswith(line)
    assert ("in all: " in done.stdout) == (fault != "a batch of words")
    assert files_below(tmp_path) == before


def test_every_refusal_is_named_at_once(tmp_path):
    env = write_flight(tmp_path)
    faults = ("no labels to evaluate by", "cut weights", "a batch of words", "two machines")
    variables = {}
    for fault in faults:
        variables |= FAULTS[fault][0](tmp_path)
    done = sh("run_scripts/rocket.sh", str(env), **variables)
    assert done.returncode == 2
    *lines, last = done.stderr.splitlines()
    assert len(lines) == len(faults)
    for fault in faults:
        begin = FAULTS[fault][1].replace("FOLDER", str(tmp_path))
        assert any(line.startswith(begin) for line in lines), fault
    assert "mend the 4 lines above" in last


@pytest.mark.parametrize("script", ["ablation.sh", "figures.sh", "reproduce_tables.sh"])
def test_the_other_scripts_ask_first_too(tmp_path, script):
    env = write_flight(tmp_path)
    before = files_below(tmp_path)
    done = sh(f"run_scripts/{script}", str(env), WARMUP="100")
    assert done.returncode == 2
    assert done.stderr.startswith("exported variable WARMUP: expected a share of the steps, ")
    assert f"{script}: nothing was started" in done.stderr.splitlines()[-1]
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("stage", ["stage1_dual.sh", "evaluate.sh"])
def test_a_script_alone_looks_at_its_variables(tmp_path, stage):
    env = write_flight(tmp_path)
    words = ["dual_encoder_0"] if stage == "evaluate.sh" else []
    done = sh(f"run_scripts/{stage}", *words, str(env), DEVICES="two")
    assert done.returncode == 2
    assert done.stderr.startswith("exported variable DEVICES: expected a whole number from 1, ")
    assert not (tmp_path / "o").exists()


def flight_of(env: Path, script: str = "rocket.sh", **changed: object) -> Flight:
    return Flight(script, str(env), variable_values(env))._replace(**changed)


@pytest.mark.parametrize("script", ["rocket.sh", "ablation.sh", "reproduce_tables.sh"])
def test_a_sound_flight_has_no_refusal(tmp_path, script):
    assert list(refusals(flight_of(write_flight(tmp_path), script))) == []
    assert script in NEEDS


def test_an_adaptation_needs_finished_models_and_no_labels(tmp_path):
    env = write_flight(tmp_path)
    for name in ("queries.train.tsv", "qrels.train.tsv", "qrels.dev.tsv"):
        (tmp_path / "data" / name).unlink()
    [refusal] = refusals(flight_of(env, "adapt.sh"))
    assert refusal.line.startswith(
        f"INIT_CROSS: {tmp_path}/data/init: expected a cross encoder, got an encoder as others "
    )
    (tmp_path / "data/queries.unlabelled.tsv").unlink()
    released = {"INIT_CROSS": "v1_marco_ce", "INIT": "v1_marco_ce"}
    variables = variable_values(env) | released
    planned = flight_of(env, "adapt.sh", variables=variables, planned=True)  # fetches nothing
    lines = [refusal.line for refusal in refusals(planned)]
    assert lines[0].startswith(f"{tmp_path}/data/queries.unlabelled.tsv: {NOTHING}")
    assert lines[1].startswith("INIT: v1_marco_ce: expected a dual encoder, got a cross encoder")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("test", "with EVALUATE_SPLIT=test those of queries.test.tsv are measured"),
        ("", "data_prep/split_labelled.py sets some of your labelled queries apart"),
    ],
)
def test_where_dev_queries_are_missing_a_line_says_what_else_can_be_measured(tmp_path, name, hint):
    env = write_flight(tmp_path)
    for kind in ("queries", "qrels"):
        path = tmp_path / f"data/{kind}.dev.tsv"
        if name:
            path.rename(tmp_path / f"data/{kind}.{name}.tsv")
        else:
            path.unlink()
    of_queries, of_qrels = refusals(flight_of(env))
    assert of_queries.line.endswith(f"; its columns are query_id, text; {hint}")
    assert of_qrels.line.endswith("; its columns are query_id, 0, passage_id, relevance")


def test_figures_without_a_flight_are_refused_with_the_command_that_makes_it(tmp_path):
    env = write_flight(tmp_path)
    lines = [refusal.line for refusal in refusals(flight_of(env, "figures.sh"))]
    assert len(lines) == 9
    for line in lines:
        assert line.endswith(f"make it with: sh run_scripts/rocket.sh {env}")
    assert lines[0].startswith(f"{tmp_path}/c/dual_encoder_0/train_log.tsv: {NOTHING}")


def test_the_ablation_looks_at_the_weights_of_bert(tmp_path):
    env = write_flight(tmp_path)
    variables = variable_values(env) | {"INIT_BERT": str(tmp_path / "bert")}
    [refusal] = refusals(flight_of(env, "ablation.sh", variables=variables))
    assert refusal.line.startswith(f"INIT_BERT: {tmp_path}/bert: expected a folder with ")
    assert list(refusals(flight_of(env, variables=variables))) == []


@pytest.mark.parametrize(
    "script, fuse, is_needed",
    [("rocket.sh", "yes", True), ("rocket.sh", "no", False), ("fuse.sh", "no", True)],
)
def test_bm25_is_asked_for_where_it_is_fused(tmp_path, monkeypatch, script, fuse, is_needed):
    monkeypatch.setitem(sys.modules, "bm25s", None)  # Python's mark of a package that is not there
    env = write_flight(tmp_path)
    variables = variable_values(env) | {"FUSE": fuse}
    lines = [refusal.line for refusal in refusals(flight_of(env, script, variables=variables))]
    assert len(lines) == is_needed
    for line in lines:
        assert line.startswith("package bm25s: expected it to be installed (pip install -e '.[bm25")


def test_a_name_is_looked_up_in_a_plan_and_never_fetched(tmp_path, paddlenlp):
    env = write_flight(tmp_path)
    names = {"INIT": "ernie-2.0-base-en", "INIT_CROSS": "ernie-3.0-nano-zh"}
    variables = variable_values(env) | names
    assert list(refusals(flight_of(env, variables=variables, planned=True))) == []
    variables["INIT_CROSS"] = "ernie-of-nobody"
    [refusal] = refusals(flight_of(env, variables=variables, planned=True))
    assert refusal.line == (
        "INIT_CROSS: ernie-of-nobody: expected a folder, or a name that PaddleNLP lists or has "
        "fetched, got neither"
    )


def test_a_plan_reads_the_collection_which_the_first_command_of_a_flight_reads(tmp_path):
    env = write_flight(tmp_path)
    collection = tmp_path / "data/collection.tsv"
    with collection.open("a") as file:
        file.write("p9999\tno title\n")
    assert list(refusals(flight_of(env))) == []
    [refusal] = refusals(flight_of(env, planned=True))
    assert refusal.line == f"{collection}:41: expected 3 columns, got 2"


def test_files_that_the_data_command_makes_are_asked_for_after_it(tmp_path):
    env = write_flight(tmp_path)
    (tmp_path / "data").rename(tmp_path / "made")
    before = files_below(tmp_path)
    half = f"mkdir '{tmp_path}/data' && cp -r '{tmp_path}/made/init' '{tmp_path}/data'"
    done = sh("run_scripts/rocket.sh", str(env), DATA_PREP=half)
    assert done.returncode == 2
    *lines, last = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"{tmp_path}/data/{name}" for name in files_of_data({"EVALUATE_SPLIT": "dev"})
    ]
    assert all(line.endswith(f"; make it with: {half}") for line in lines)
    made = files_below(tmp_path) - before
    assert {name.split("/")[0] for name in made} == {"data", "o", "c"}
    assert not [name for name in made if name.startswith(("o/", "c/"))]


def test_weights_elsewhere_are_asked_for_before_the_data_command(tmp_path):
    env = write_flight(tmp_path)
    (tmp_path / "data").rename(tmp_path / "made")
    lost = {"INIT_CROSS": str(tmp_path / "lost")}
    done = sh("run_scripts/rocket.sh", str(env), DATA_PREP=f"touch '{tmp_path}/ran'", **lost)
    assert done.returncode == 2
    assert done.stderr.startswith(f"INIT_CROSS: {tmp_path}/lost: expected a folder with ")
    assert not (tmp_path / "ran").exists()


def test_weights_that_lie_in_the_data_folder_are_made_where_they_alone_are_missing(tmp_path):
    env = write_flight(tmp_path)
    (tmp_path / "data/init").rename(tmp_path / "made")
    done = sh("run_scripts/rocket.sh", str(env), DATA_PREP=f"touch '{tmp_path}/ran'; exit 9")
    assert (done.returncode, done.stderr) == (9, "")
    assert (tmp_path / "ran").exists()


def test_the_verb_takes_the_variables_that_the_caller_has_exported(tmp_path):
    env = write_flight(tmp_path)
    words = verb("preflight", "--script", "rocket.sh", "--env", "my.env")
    values = variable_values(env)
    done = subprocess.run(
        words, cwd=ROOT, env=ENVIRONMENT | values, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    del values["SEED"]
    done = subprocess.run(
        words, cwd=ROOT, env=ENVIRONMENT | values, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.startswith("my.env: SEED: expected a value, got none")


@pytest.mark.parametrize(
    "judged_by, name",
    [
        ("labels", "qrels.dev.tsv"),
        ("answers", "answers.dev.tsv"),
        ("answers-by-characters", "answers.dev.tsv"),
    ],
)
def test_a_flight_reads_the_judgements_that_it_evaluates_by(judged_by, name):
    names = files_of_data({"EVALUATE_SPLIT": "dev", "EVALUATE_BY": judged_by})
    assert names[-2:] == ["queries.dev.tsv", name]


def test_a_pooling_that_nobody_can_follow_is_refused_unless_the_env_file_chooses(tmp_path):
    env = write_flight(tmp_path)
    weights = add_pooling(write_model(tmp_path / "st"), {"pooling_mode_max_tokens": True})
    variables = variable_values(env) | {"INIT": str(weights)}
    [refusal] = refusals(flight_of(env, variables=variables))
    expected = f"INIT: {weights}/1_Pooling/config.json: expected a pooling by the first token (cls)"
    assert refusal.line.startswith(expected)
    variables["REPRESENTATION"] = "mean"
    assert list(refusals(flight_of(env, variables=variables))) == []


@pytest.mark.parametrize("chosen", ["", "mean"])
def test_the_vector_of_a_text_is_a_flag_only_where_it_is_chosen(tmp_path, chosen):
    env = write_flight(tmp_path)
    done = sh("run_scripts/rocket.sh", str(env), "--plan", REPRESENTATION=chosen)
    assert done.returncode == 0
    assert ("--representation" in done.stdout) == bool(chosen)
    assert done.stdout.count("--representation mean") == done.stdout.count("--representation")
