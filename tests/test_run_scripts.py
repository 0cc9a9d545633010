"""The run scripts are plain sh, say what they read and write, obey their caller, and stop where something lacks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_files import dual_flags, write_tiny_flight

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "run_scripts").glob("*.sh"))
ENVS = sorted((ROOT / "run_scripts").glob("*.env"))
BIN = Path(sys.executable).parent


def sh(*command: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess:
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "ROCKETQA_READY": "yes",
        **variables,
    }
    shell = shutil.which("dash") or "sh"
    return subprocess.run(
        [shell, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def names(env: Path) -> list[str]:
    return re.findall(r"^([A-Z][A-Z0-9_]*)=", env.read_text(), re.MULTILINE)


def test_shellcheck_finds_nothing():
    done = subprocess.run(
        [BIN / "shellcheck", "-s", "sh", "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if path.name != "lib.sh"], ids=lambda path: path.name
)
def test_the_head_of_a_script_says_what_it_reads_and_writes(script):
    head = (
        script.read_text().split("\n\n")[0]
        if script.name != "setup.sh"
        else script.read_text()[:800]
    )
    assert re.search(r"^# reads   \S", head, re.MULTILINE) and re.search(
        r"^# writes  \S", head, re.MULTILINE
    )


def test_all_flights_set_the_same_variables():
    assert len(ENVS) >= 3
    for env in ENVS:
        assert sorted(names(env)) == sorted(names(ENVS[0])), env.name
        assert len(set(names(env))) == len(names(env)), env.name


def test_every_variable_of_a_flight_is_read_by_a_script():
    text = (
        "".join(path.read_text() for path in SCRIPTS) + (ROOT / "rocketqa/cli/plan.py").read_text()
    )
    for name in names(ENVS[0]):
        assert re.search(rf"\$\{{?{name}\b|variables\[\"{name}\"\]", text), name


PAPER = {
    "BATCH_SIZE": "512",
    "LEARNING_RATE": "3e-5",
    "WARMUP": "0.1",
    "QUERY_LENGTH": "32",
    "PASSAGE_LENGTH": "128",
    "BATCH_SIZE_CROSS": "64",
    "EPOCHS_CROSS": "2",
    "LEARNING_RATE_CROSS": "1e-5",
    "MAX_NEGATIVE": "0.1",
    "MIN_POSITIVE": "0.9",
    "NEGATIVES": "cross-batch",
    "INIT": "ernie-2.0-base-en",
    "PRECISION": "float16",
    "RECOMPUTE": "yes",
    "INIT_CROSS": "ernie-2.0-large-en",
}
RELEASED = {
    "WEIGHT_DECAY": "0.0",
    "WEIGHT_DECAY_CROSS": "0.01",
    "WARMUP_CROSS": "0.0",
    "DECAY_CROSS": "constant",
    "PAIR_LENGTH": "160",
    "FGM": "0.01",
    "PRECISION_CROSS": "float32",
    "LAYER_NORM_EPS": "1e-5",
    "SEED": "1",
    "AUGMENT_DEPTH": "50",
    "ACCUMULATE": "1",
    "ACCUMULATE_CROSS": "1",
    "MASK_POSITIVES": "no",
}
OF_THE_FLIGHT = {
    "marco": {
        "DEVICES": "8",
        "EPOCHS_1": "40",
        "EPOCHS_3": "10",
        "EPOCHS_4": "10",
        "DUAL_NEGATIVES": "4",
        "DEVICES_CROSS": "4",
        "CROSS_NEGATIVES": "4",
        "CROSS_DEPTH": "1000",
        "DENOISE_DEPTH": "50",
        "FILL_DEPTH": "1000",
        "POSITIVES": "labels",
    },
    "nq": {
        "DEVICES": "2",
        "EPOCHS_1": "30",
        "EPOCHS_3": "30",
        "EPOCHS_4": "30",
        "DUAL_NEGATIVES": "1",
        "DEVICES_CROSS": "1",
        "CROSS_NEGATIVES": "1",
        "CROSS_DEPTH": "100",
        "DENOISE_DEPTH": "100",
        "FILL_DEPTH": "0",
        "POSITIVES": "answers",
        "STAGE_1_RUN": "bm25.train.run",
    },
}


@pytest.mark.parametrize("flight", OF_THE_FLIGHT)
def test_the_defaults_of_the_papers_flights_are_the_papers_and_the_released_codes(flight):
    text = (ROOT / f"run_scripts/{flight}.env").read_text()
    values = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(\S*)", text, re.MULTILINE))
    expected = PAPER | RELEASED | OF_THE_FLIGHT[flight]
    assert {name: values[name] for name in expected} == expected


def test_a_variable_of_the_caller_wins_over_the_env_file(tmp_path):
    env = tmp_path / "my.env"
    env.write_text(
        f"OUTPUT_DIR={tmp_path}/o\nCHECKPOINT_DIR={tmp_path}/c\nSEED=1\nDEVICES=2  # two\nINIT=\n"
    )
    script = ROOT / "run_scripts" / "lib.sh"
    program = f'. "{script}"; load_flight "{env}"; echo "$SEED $DEVICES $INIT"'
    (tmp_path / "run_scripts").mkdir()
    probe = ROOT / "run_scripts" / "probe"
    assert sh("-c", program, str(probe)).stdout == "1 2 \n"
    assert sh("-c", program, str(probe), SEED="3", INIT="a folder").stdout == "3 2 a folder\n"


STAGES = {
    "stage2_cross.sh": "stage1_dual.sh",
    "stage3_dual_denoised.sh": "stage1_dual.sh",
    "stage4_dual_augmented.sh": "stage2_cross.sh",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_its_predecessor_says_which_command_makes_it_and_exits_2(stage, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in (
        "collection.tsv",
        "queries.train.tsv",
        "qrels.train.tsv",
        "queries.unlabelled.tsv",
    ):
        (data / name).write_text("")
    done = sh(
        f"run_scripts/{stage}",
        "run_scripts/toy.env",
        DATA_DIR=str(data),
        OUTPUT_DIR=str(tmp_path / "o"),
        CHECKPOINT_DIR=str(tmp_path / "c"),
    )
    assert done.returncode == 2
    assert (
        f"make it with: sh run_scripts/{STAGES[stage]} run_scripts/toy.env"
        in done.stderr.splitlines()[-1]
    )


def test_a_stage_without_data_says_how_to_make_them_and_exits_2(tmp_path):
    done = sh(
        "run_scripts/stage1_dual.sh",
        DATA_DIR=str(tmp_path / "none"),
        OUTPUT_DIR=str(tmp_path / "o"),
        CHECKPOINT_DIR=str(tmp_path / "c"),
    )
    assert done.returncode == 2 and "data_prep/toy.py" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("missing", ["queries.dev.tsv", "qrels.dev.tsv", "queries.unlabelled.tsv"])
def test_a_flight_asks_for_every_file_before_it_trains(tmp_path, missing):
    for name in {
        "collection.tsv",
        "queries.train.tsv",
        "qrels.train.tsv",
        "queries.dev.tsv",
        "qrels.dev.tsv",
        "queries.unlabelled.tsv",
    } - {missing}:
        (tmp_path / name).write_text("")
    done = sh(
        "run_scripts/rocket.sh",
        "run_scripts/own.env",
        DATA_DIR=str(tmp_path),
        OUTPUT_DIR=str(tmp_path / "o"),
        CHECKPOINT_DIR=str(tmp_path / "c"),
    )
    assert done.returncode == 2 and not any((tmp_path / "o").iterdir())
    assert done.stderr.splitlines()[-1].startswith(
        f"{tmp_path}/{missing}: expected it to be made already"
    )


def test_a_missing_env_file_is_refused(tmp_path):
    done = sh("run_scripts/stage1_dual.sh", str(tmp_path / "no.env"))
    assert done.returncode == 2 and "expected a flight's env file, got none" in done.stderr


def test_a_stage_works_from_any_folder(tmp_path):
    done = sh(
        str(ROOT / "run_scripts/stage2_cross.sh"),
        cwd=tmp_path,
        DATA_DIR=str(tmp_path / "none"),
        OUTPUT_DIR=str(tmp_path / "o"),
        CHECKPOINT_DIR=str(tmp_path / "c"),
    )
    assert done.returncode == 2 and "collection.tsv: expected it to be made already" in done.stderr


def test_a_finished_training_of_two_devices_is_not_launched_again(tmp_path):
    write_tiny_flight(tmp_path)
    (tmp_path / "my.env").write_text(f"OUTPUT_DIR={tmp_path}/o\nCHECKPOINT_DIR={tmp_path}/c\n")
    program = f'. "{ROOT}/run_scripts/lib.sh"; load_flight "{tmp_path}/my.env"; launch 2 train-dual-encoder "$@"'
    command = (
        "-c",
        program,
        str(ROOT / "run_scripts/probe"),
        *dual_flags(tmp_path, tmp_path / "x", 4),
    )
    assert sh(*command).returncode == 0 and (tmp_path / "x/meta.json").is_file()
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"  # the launcher's: it must not be called
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    path = os.pathsep.join(map(str, (tmp_path / "bin", BIN, os.environ["PATH"])))
    again = sh(*command, PATH=path)
    assert again.returncode == 0 and again.stderr.splitlines()[-1].endswith("x: up to date")
    shutil.rmtree(tmp_path / "x")
    assert sh(*command, PATH=path).returncode == 2
