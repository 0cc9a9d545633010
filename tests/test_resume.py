"""A training killed at any instant goes on to the same bytes."""

import os
import random
import signal
import subprocess
import time

import pytest
from toy_files import (
    ENVIRONMENT,
    cross_flags,
    dual_flags,
    launched,
    run_training,
    train_dual,
    verb,
    write_tiny_flight,
)

WEIGHTS = "model.safetensors"
# Dropout, chunks, FGM, loss scale: all that a step draws or keeps.
TRAININGS = {
    "train-dual-encoder": (dual_flags, {"batch-size": 2, "accumulate": 2, "loss-scale": 2.0**61}),
    "train-cross-encoder": (cross_flags, {"batch-size": 2, "accumulate": 2, "fgm": 0.01}),
}


def flags_of(name, folder, output, **changed) -> list[str]:
    flags, settings = TRAININGS[name]
    settings = settings | changed
    return (
        flags(folder, output, settings.pop("batch-size"), **settings)
        if flags is dual_flags
        else flags(folder, output, **settings)
    )


def killed(folder, output, name, devices, instant, **changed) -> None:
    """Starts a training and kills all of its processes with SIGKILL, so many seconds after its first state is there."""
    flags = flags_of(name, folder, output, **changed)
    process = subprocess.Popen(
        verb(name, *flags) if devices == 1 else launched(folder, devices, name, flags),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    part = output.with_name(output.name + ".part")
    deadline = time.monotonic() + 120
    while not list(part.glob("state-*")):
        assert process.poll() is None and time.monotonic() < deadline, (
            "ended before it could be killed"
        )
        time.sleep(0.001)
    time.sleep(instant)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("name", TRAININGS)
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, name, devices):
    write_tiny_flight(tmp_path, dropout=0.1)
    settings = {"epochs": 30 * devices, "save-every": 7, "keep": 2}  # 300 steps
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    run_training(tmp_path, devices, name, flags_of(name, tmp_path, straight, **settings))
    instants, begun = random.Random(os.environ.get("KILL_SEED", "1")), []
    for _ in range(int(os.environ.get("KILLS", "2"))):
        killed(tmp_path, broken, name, devices, instants.uniform(0, 0.7), **settings)
        assert not broken.exists(), "killed too late"
        begun += [path.name for path in (tmp_path / "broken.part").glob("state-*")]
    run_training(tmp_path, devices, name, flags_of(name, tmp_path, broken, **settings))
    assert begun and "state-294" not in begun
    files = {path.relative_to(straight) for path in straight.rglob("*") if path.is_file()}
    assert files == {path.relative_to(broken) for path in broken.rglob("*") if path.is_file()}
    assert {path.parts[0] for path in files if len(path.parts) > 1} == {"state-287", "state-294"}
    for file in files:
        if file.name not in ("train_log.tsv", "meta.json"):
            assert (broken / file).read_bytes() == (straight / file).read_bytes(), file
    columns = [
        [line.split("\t")[:5] for line in (path / "train_log.tsv").read_text().splitlines()]
        for path in (broken, straight)
    ]
    assert columns[0] == columns[1] and len(columns[0]) == 301


def test_the_best_model_by_dev_is_the_same_after_a_kill(tmp_path):
    write_tiny_flight(tmp_path, dropout=0.1)
    settings = {
        "epochs": 30,
        "save-every": 7,
        "evaluate-every": 3,
        "dev-examples": tmp_path / "examples.dual.tsv",
    }
    name = "train-dual-encoder"
    run_training(tmp_path, 1, name, flags_of(name, tmp_path, tmp_path / "a", **settings))
    killed(tmp_path, tmp_path / "b", name, 1, 0.5, **settings)
    run_training(tmp_path, 1, name, flags_of(name, tmp_path, tmp_path / "b", **settings))
    for file in ("best/model.safetensors", "best/best.json", WEIGHTS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize(
    "file, change, complaint",
    [
        (
            "",
            {"learning-rate": 0.002},
            "expected learning-rate 0.001, as its unfinished work has, got 0.002",
        ),
        ("", {"accumulate": 1}, "expected accumulate 2, as its unfinished work has, got 1"),
        (
            "config.json",
            {"old": '"num_attention_heads": 2', "new": '"num_attention_heads": 1'},
            "expected the init of its unfinished work, got other bytes",
        ),
        (
            "vocab.txt",
            {"old": "w7", "new": "another"},
            "expected the init of its unfinished work, got other bytes",
        ),
    ],
)
def test_the_state_of_another_training_is_neither_gone_on_from_nor_thrown_away(
    tmp_path, file, change, complaint
):
    write_tiny_flight(tmp_path)
    killed(tmp_path, tmp_path / "x", "train-dual-encoder", 1, 0, **{"epochs": 30, "save-every": 5})
    before = {path.name for path in (tmp_path / "x.part").iterdir()}
    if file:
        path = tmp_path / "init" / file
        assert change["old"] in path.read_text()
        path.write_text(path.read_text().replace(change["old"], change["new"]))
        change = {}
    done = subprocess.run(
        verb(
            "train-dual-encoder",
            *flags_of(
                "train-dual-encoder",
                tmp_path,
                tmp_path / "x",
                **{"epochs": 30, "save-every": 5} | change,
            ),
        ),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == (
        f"rocketqa train-dual-encoder: {tmp_path}/x.part: {complaint}; to begin anew, remove the folder"
    )
    assert {path.name for path in (tmp_path / "x.part").iterdir()} == before


def test_a_finished_training_is_not_repeated(tmp_path):
    write_tiny_flight(tmp_path)
    train_dual(tmp_path, tmp_path / "done", devices=1, batch_size=4)
    before = os.stat(tmp_path / "done" / WEIGHTS).st_mtime_ns
    train_dual(tmp_path, tmp_path / "done", devices=1, batch_size=4)
    assert os.stat(tmp_path / "done" / WEIGHTS).st_mtime_ns == before


@pytest.mark.parametrize(
    "file, line, message",
    [
        (
            "examples.dual.tsv",
            "q0\tp0\tp99\n",
            "examples.dual.tsv:41: expected a passage_id of the collection, got 'p99'",
        ),
        ("queries.tsv", "q40\n", "queries.tsv:41: expected 2 columns, got 1"),
    ],
)
def test_a_bad_input_ends_the_training_with_one_line_and_status_2(tmp_path, file, line, message):
    write_tiny_flight(tmp_path)
    with (tmp_path / file).open("a") as lines:
        lines.write(line)
    done = subprocess.run(
        verb("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "out", 4)),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    complaint = [
        line
        for line in done.stderr.splitlines()
        if line.startswith("rocketqa train-dual-encoder: ")
    ]
    assert done.returncode == 2 and len(complaint) == 1 and complaint[0].endswith(message)
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()
