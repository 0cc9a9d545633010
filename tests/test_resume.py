"""A training killed at any instant goes on to the same bytes."""

import os
import random
import subprocess
from pathlib import Path

import pytest
from launching import kill_at
from toy_files import (
    ENVIRONMENT,
    cross_flags,
    dual_flags,
    launched,
    run_training,
    train_dual,
    verb,
    write_teacher,
    write_tiny_flight,
)
from training_logs import WEIGHTS, complaint

# Dropout, chunks, FGM, loss scale, a teacher: all that a step draws or keeps.
SETTINGS = {
    "train-dual-encoder": {"accumulate": 2, "loss-scale": 2.0**61},
    "train-cross-encoder": {"accumulate": 2, "fgm": 0.01},
}
DUAL = "train-dual-encoder"


def flags_of(name: str, folder: Path, output: Path, **changed: object) -> list[str]:
    settings = SETTINGS[name] | changed
    if name == DUAL:
        return dual_flags(folder, output, 2, **settings)
    return cross_flags(folder, output, **{"batch-size": 2}, **settings)


def states_in(output: Path) -> list[str]:
    """Returns the names of the states of an unfinished training."""
    part = output.with_name(f"{output.name}.part")
    return [path.name for path in part.glob("state-*")]


def kill(folder: Path, output: Path, name: str, devices: int, delay: float, **changed) -> None:
    """Starts a training and kills all its processes, so many seconds after its first state."""
    flags = flags_of(name, folder, output, **changed)
    command = verb(name, *flags) if devices == 1 else launched(folder, devices, name, flags)
    kill_at(command, lambda: bool(states_in(output)), delay)


def files_in(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def log_without_rates(output: Path) -> list[list[str]]:
    lines = (output / "train_log.tsv").read_text().splitlines()
    return [line.split("\t")[:5] for line in lines]


@pytest.mark.parametrize("name, devices, steps", [(DUAL, 2, 60), ("train-cross-encoder", 1, 100)])
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, name, devices, steps):
    write_tiny_flight(tmp_path, dropout=0.1)
    epochs = steps * devices // 10  # 10 steps an epoch of one device, 5 of two
    settings = {"epochs": epochs, "save-every": 7, "keep": 2}
    if name == DUAL:
        settings["teacher"] = write_teacher(tmp_path)
    straight = tmp_path / "straight"
    broken = tmp_path / "broken"
    run_training(tmp_path, devices, name, flags_of(name, tmp_path, straight, **settings))
    instants = random.Random(os.environ.get("KILL_SEED", "1"))
    states = []
    for _ in range(int(os.environ.get("KILLS", 1))):
        kill(tmp_path, broken, name, devices, instants.uniform(0, 0.7), **settings)
        assert not broken.exists(), "killed too late"
        states += states_in(broken)
    run_training(tmp_path, devices, name, flags_of(name, tmp_path, broken, **settings))
    last = steps // 7 * 7
    assert states and f"state-{last}" not in states
    files = files_in(straight)
    assert files == files_in(broken)
    folders = {path.parts[0] for path in files if len(path.parts) > 1}
    assert folders == {f"state-{last - 7}", f"state-{last}"}
    for file in files:
        if file.name not in ("train_log.tsv", "meta.json"):
            assert (broken / file).read_bytes() == (straight / file).read_bytes(), file
    log = log_without_rates(straight)
    assert log == log_without_rates(broken)
    assert len(log) == 1 + steps


def test_the_best_model_by_dev_is_the_same_after_a_kill(tmp_path):
    write_tiny_flight(tmp_path, dropout=0.1)
    dev = {"evaluate-every": 3, "dev-examples": tmp_path / "examples.dual.tsv"}
    settings = {"epochs": 8, "save-every": 7, **dev}
    run_training(tmp_path, 1, DUAL, flags_of(DUAL, tmp_path, tmp_path / "a", **settings))
    kill(tmp_path, tmp_path / "b", DUAL, 1, 0.5, **settings)
    run_training(tmp_path, 1, DUAL, flags_of(DUAL, tmp_path, tmp_path / "b", **settings))
    for file in ("best/model.safetensors", "best/best.json", WEIGHTS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def change_heads(folder: Path) -> None:
    replace_in(folder / "init/config.json", '"num_attention_heads": 2', '"num_attention_heads": 1')


def change_vocabulary(folder: Path) -> None:
    replace_in(folder / "init/vocab.txt", "w7", "another")


def change_nothing(folder: Path) -> None:
    pass


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


OTHER_BYTES = "expected the init of its unfinished work, got other bytes"


@pytest.mark.parametrize(
    "change, flags, expected",
    [
        (
            change_nothing,
            {"learning-rate": 0.002},
            "expected learning-rate 0.001, as its unfinished work has, got 0.002",
        ),
        (change_heads, {}, OTHER_BYTES),
        (change_vocabulary, {}, OTHER_BYTES),
    ],
)
def test_the_state_of_another_training_is_neither_used_nor_thrown_away(
    tmp_path, change, flags, expected
):
    write_tiny_flight(tmp_path)
    output = tmp_path / "x"
    settings = {"epochs": 30, "save-every": 5}
    kill(tmp_path, output, DUAL, 1, 0, **settings)
    before = {path.name for path in (tmp_path / "x.part").iterdir()}
    change(tmp_path)
    line = complaint(DUAL, *flags_of(DUAL, tmp_path, output, **settings, **flags))
    assert line == f"{tmp_path}/x.part: {expected}; to begin anew, remove the folder"
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
        (
            "queries.tsv",
            "q40\n",
            "queries.tsv:41: expected 2 columns, got 1 (columns are separated by tabs)",
        ),
    ],
)
def test_a_bad_input_ends_the_training_with_one_line_and_leaves_nothing(
    tmp_path, file, line, message
):
    write_tiny_flight(tmp_path)
    with (tmp_path / file).open("a") as lines:
        lines.write(line)
    assert complaint(DUAL, *dual_flags(tmp_path, tmp_path / "out", 4)).endswith(message)
    assert not list(tmp_path.glob("out*"))


def test_check_needs_no_launch(tmp_path):
    write_tiny_flight(tmp_path)
    command = verb(DUAL, *dual_flags(tmp_path, tmp_path / "out", 4), "--check")
    environment = ENVIRONMENT | {"PADDLE_TRAINERS_NUM": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 3
