"""`rocket.sh --plan` foretells the paper's flights: its arithmetic is the paper's, its commands are the flight's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def plan(env: str, **variables: str) -> list[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ROCKETQA_READY": "yes",
        "DATA_DIR": "nowhere",
        **variables,
    }
    done = subprocess.run(
        ["sh", "run_scripts/rocket.sh", f"run_scripts/{env}.env", "--plan"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def line_of(lines: list[str], begin: str) -> str:
    return next(line.strip() for line in lines if line.strip().startswith(begin))


def test_the_steps_of_ms_marco_are_the_papers():
    # 532,761 positives x 4 rows: 520 steps of 4,096 an epoch, "20K / 5K steps" (figure 4); M_C 19.9 K.
    lines = plan("marco")
    stage_1 = line_of(lines, "train dual_encoder_0")
    assert "2,131,044 rows / (512 x 8 = 4,096) = 520 steps x 40 epochs = 20,800" in stage_1
    assert "520 steps x 10 epochs = 5,200" in line_of(lines, "train dual_encoder_1")
    assert "9,939 steps x 2 epochs = 19,878" in line_of(lines, "train cross_encoder")
    assert "502,939,000 lines" in line_of(lines, "retrieve for train")
    assert lines[-1].endswith("hours: unknown, RATES names no rate (measure: rocketqa benchmark)")


def test_the_steps_of_natural_questions_are_the_papers():
    lines = plan("nq")
    assert "58,812 rows / (512 x 2 = 1,024) = 57 steps x 30 epochs = 1,710" in line_of(
        lines, "train dual_encoder_0"
    )
    assert "64 x 1 = 64) = 1,837 steps x 2 epochs = 3,674" in line_of(lines, "train cross_encoder")
    assert any("--answers nowhere/answers.train.tsv" in line for line in lines)
    assert any(
        line.startswith("rocketqa evaluate") and "answers.test.tsv" in line for line in lines
    )


@pytest.mark.parametrize("devices, chunks", [("4", "2"), ("2", "4"), ("1", "8")])
def test_fewer_gpus_take_the_same_batches_and_as_much_longer(devices, chunks):
    rates = "train=1000 cross=100 encode=2000 score=500"
    full = plan("marco", RATES=rates)
    lines = plan("marco", RATES=rates, DEVICES=devices, ACCUMULATE=chunks)
    assert (
        f"(512 x {devices} x {chunks} chunks = 4,096) = 520 steps x 40 epochs = 20,800"
        in line_of(lines, "train dual_encoder_0")
    )
    assert "3.0 h on 8 devices" in line_of(
        full, "train dual_encoder_0"
    )  # 2,131,044 x 40 rows / 1,000 / 8 / 3,600
    assert f"{23.68 / int(devices):.1f} h on {devices} devices" in line_of(
        lines, "train dual_encoder_0"
    )


def test_every_command_is_planned_once_and_nothing_is_made(tmp_path):
    lines = plan("marco", OUTPUT_DIR=str(tmp_path / "o"), CHECKPOINT_DIR=str(tmp_path / "c"))
    commands = [line for line in lines if "rocketqa " in line and " --" in line]
    assert len(set(commands)) == len(commands) >= 30 and not list(tmp_path.iterdir())
    made = {line.split("--output ")[1].split()[0] for line in commands}
    assert {
        f"{tmp_path}/c/{model}"
        for model in ("dual_encoder_0", "cross_encoder", "dual_encoder_1", "dual_encoder_2")
    } <= made
    launched = [line for line in commands if "train-dual-encoder" in line]
    assert all(
        line.startswith("python -m paddle.distributed.launch --nproc_per_node 8 ")
        for line in launched
    )


def test_files_that_are_there_are_counted(tmp_path):
    (tmp_path / "qrels.train.tsv").write_text("q1\t0\tp1\t1\n" * 3000)
    lines = plan("marco", DATA_DIR=str(tmp_path))
    assert (
        "qrels.train 3,000 (counted)"
        in lines[[line.startswith("rows: ") for line in lines].index(True)]
    )
    assert (
        line_of(lines, "train dual_encoder_0")
        .split("; ")[0]
        .endswith("12,000 rows / (512 x 8 = 4,096) = 2 steps x 40 epochs = 80")
    )
    lines = plan(
        "marco", DATA_DIR=str(tmp_path), MIN_STEPS="100", RATES="train=1 cross=1 encode=1 score=1"
    )
    assert " x 40 epochs = 80, then on to 100;" in line_of(lines, "train dual_encoder_0")
    assert "; 14.2 h on 8 devices" in line_of(
        lines, "train dual_encoder_0"
    )  # 100 x 4,096 rows / 8 / 3,600


def test_a_rate_that_is_none_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "rocketqa.cli", "plan", "RATES=fast", "ROWS=", "DATA_DIR=x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "rocketqa plan: RATES: expected words NAME=NUMBER of train, cross, encode, score, "
        "got fast\n"
    )


@pytest.mark.parametrize("env", ["marco", "nq"])
def test_a_plan_begins_with_the_flight_and_ends_with_a_report_of_all_its_models(env):
    lines = plan(env, ROCKETQA_READY="")
    assert lines[0].startswith("python data_prep/")
    report = line_of(lines, "rocketqa report --measures")
    for model in ("data", "dual_encoder_0", "cross_encoder", "dual_encoder_1", "dual_encoder_2"):
        assert f"/{model}.measures.tsv" in report
    assert "/queries.train.tsv" in line_of(lines, "rocketqa statistics").split("--queries")[1]
    assert "--by-rank" in report and "/dual_encoder_2/train_log.tsv" in report
