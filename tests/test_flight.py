"""A whole flight through the scripts, tiny: it ends in a true report, is not repeated, and survives kills."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A handful of steps teaches nothing, so the thresholds are opened: what is tested is the procedure.
SHRUNK = {
    "MAX_STEPS": "6",
    "SAVE_EVERY": "2",
    "DEVICES": "1",
    "DEVICES_CROSS": "1",
    "RETRIEVE_DEPTH": "30",
    "CROSS_DEPTH": "30",
    "DENOISE_DEPTH": "12",
    "AUGMENT_DEPTH": "6",
    "RERANK_DEPTH": "10",
    "MAX_NEGATIVE": "0.6",
    "MIN_POSITIVE": "0.01",
    "BATCH_SIZE": "16",
    "BATCH_SIZE_CROSS": "16",
    "DATA_PREP": "",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "data"
    subprocess.run(
        [
            sys.executable,
            "data_prep/toy.py",
            "--output",
            folder,
            "--entities",
            "12",
            "--train-queries",
            "60",
            "--dev-queries",
            "20",
            "--unlabelled-queries",
            "60",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def flight(folder: Path, world: Path, **variables: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return (
        os.environ
        | SHRUNK
        | {
            "PATH": path,
            "ROCKETQA_READY": "yes",
            "DATA_DIR": str(world),
            "INIT": f"{world}/init_dual",
            "INIT_CROSS": f"{world}/init_cross",
            "OUTPUT_DIR": str(folder / "o"),
            "CHECKPOINT_DIR": str(folder / "c"),
            **variables,
        }
    )


def fly(folder: Path, world: Path, **variables: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        ["sh", "run_scripts/rocket.sh"],
        cwd=ROOT,
        env=flight(folder, world, **variables),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def flown(small_world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flown")
    return folder, fly(folder, small_world)


def artefacts(folder: Path) -> dict[str, bytes]:
    """Returns what a flight leaves, by path; logs hold rates, manifests the folder's name."""
    left_out = ("train_log.tsv", ".meta.json", "meta.json")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(left_out)
    }


def slow_mrr(run: Path, qrels: Path) -> float:
    """MRR@10 from the files alone, by nothing of the package."""
    relevant, best = {}, {}
    for line in qrels.read_text().splitlines():
        query_id, _, passage_id, _ = line.split("\t")
        relevant.setdefault(query_id, set()).add(passage_id)
    for line in run.read_text().splitlines():
        query_id, _, passage_id, rank, _, _ = line.split("\t")
        if passage_id in relevant[query_id] and int(rank) <= 10:
            best[query_id] = max(best.get(query_id, 0.0), 1 / int(rank))
    return sum(best.values()) / len(relevant)


def test_the_report_holds_the_measures_of_every_model_beside_the_papers(flown, small_world):
    folder, done = flown
    lines = [line.split("\t") for line in (folder / "o/report.tsv").read_text().splitlines()]
    assert lines[0] == ["model", "measure", "value", "paper"]
    rows = {(model, measure): (float(value), paper) for model, measure, value, paper in lines[1:]}
    runs = {
        "dual_encoder_0": "dual_encoder_0.dev.run",
        "cross_encoder": "dual_encoder_2.dev.scored.run",
        "dual_encoder_1": "dual_encoder_1.dev.run",
        "dual_encoder_2": "dual_encoder_2.dev.run",
    }
    for model, run in runs.items():
        for measure, qrels in (("MRR@10", "qrels.dev.tsv"), ("MRR@10-truth", "truth.dev.tsv")):
            assert rows[model, measure][0] == pytest.approx(
                slow_mrr(folder / "o" / run, small_world / qrels)
            )
    assert [rows[model, "MRR@10"][1] for model in runs] == ["0.3332", "0.409", "0.3638", "0.3702"]
    assert (folder / "o/report.md").read_text().strip() in done.stdout
    assert not list(folder.rglob("*.part")), "work left behind"


def test_a_second_call_makes_nothing_again(flown, small_world):
    folder, _ = flown

    def times():  # report.md is printed, and so written, each time
        return {
            path: path.stat().st_mtime_ns
            for path in folder.rglob("*")
            if path.is_file() and path.name != "report.md"
        }

    before = times()
    fly(folder, small_world)
    assert times() == before


def test_stages_are_flown_again_where_their_inputs_changed(flown, small_world, tmp_path):
    folder, _ = flown
    copy, world = tmp_path / "flight", tmp_path / "data"
    shutil.copytree(folder, copy)
    shutil.copytree(small_world, world)
    with (world / "queries.unlabelled.tsv").open("a") as lines:
        lines.write("one-more\tzore benave\n")
    before = artefacts(folder)
    fly(copy, world)
    after = artefacts(copy)
    changed = {name for name in before if before[name] != after[name]}
    assert (
        "o/dual_encoder_1.unlabelled.run" in changed
        and "c/dual_encoder_2/model.safetensors" in changed
    )
    assert {
        "c/dual_encoder_0/model.safetensors",
        "c/cross_encoder/model.safetensors",
        "c/dual_encoder_1/model.safetensors",
    }.isdisjoint(changed)


def test_a_flight_killed_again_and_again_ends_in_the_same_bytes(flown, small_world, tmp_path):
    folder, _ = flown
    instants = random.Random(os.environ.get("KILL_SEED", "1"))
    for _ in range(int(os.environ.get("KILLS", "4"))):
        process = subprocess.Popen(
            ["sh", "run_scripts/rocket.sh"],
            cwd=ROOT,
            env=flight(tmp_path, small_world),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(instants.uniform(1, 12))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    fly(tmp_path, small_world)
    assert artefacts(tmp_path) == artefacts(folder)
