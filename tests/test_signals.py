"""A signal at any instant: one line, a state, nothing left behind; the next call goes on."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from script_runs import ROOT, make_toy_data, script_environment
from stopping_processes import DEADLINE, STATUS, assert_none_is_left, assert_stopped, stop
from test_flight import shrunk_variables
from tiny_service import run, write_encoded_collection
from toy_files import ENVIRONMENT, console_script, dual_flags, verb
from waiting import wait_until

from rocketqa.files.formats import write_lines

DUAL = "train-dual-encoder"


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """Tiny data, a dual and a cross encoder, a run, and the vectors of 6,000 passages."""
    folder = tmp_path_factory.mktemp("signals")
    write_encoded_collection(folder)
    write_lines(folder / "many.tsv", (f"d{i}\t\tw{i % 40} w{i % 7}" for i in range(6000)))
    lines = (f"q{i // 40}\tQ0\tp{i % 40}\t{i % 40 + 1}\t{-i}\tx" for i in range(1600))
    write_lines(folder / "a.run", lines)
    queries = ("--queries", folder / "queries.tsv", "--output", folder / "queries")
    run("encode", "--checkpoint", folder / "dual", *queries)
    run(*commands(folder, folder / "passages")["encode"][3:])
    command = folder / "rocketqa"
    command.write_text(f"#!{sys.executable}\n{Path(console_script(folder)).read_text()}")
    command.chmod(0o755)
    return folder


def run_to_the_end(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, timeout=240)


def train(folder: Path, devices: int, output: Path, epochs: int, every: int = 30) -> list[str]:
    """Returns the command of a training as lib.sh starts it, with a state `every` so many steps."""
    settings = {"epochs": epochs, "save-every": every, "keep": 2}
    flags = dual_flags(folder, output, 2, **settings)
    command = [str(folder / "rocketqa"), DUAL, *flags]
    if devices == 1:
        return command
    return [sys.executable, "-m", "rocketqa.distributed.launch", str(devices), *command]


def part_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.part")


def steps_in(output: Path) -> int:
    """Returns how many steps the log of an unfinished training has."""
    log = part_of(output) / "train_log.tsv"
    return len(log.read_text().splitlines()) - 1 if log.is_file() else 0


def files_in(output: Path) -> dict[str, bytes]:
    """Returns path -> bytes, without what holds rates or paths."""
    files = [path for path in output.rglob("*") if path.is_file()] or [output]
    found = {}
    for path in files:
        if path.name not in ("train_log.tsv", "meta.json"):
            found[str(path.relative_to(output))] = path.read_bytes()
    return found


@pytest.mark.parametrize(  # a state that a signal saves is none of those that are kept
    "devices, steps, every, stops",
    [
        (1, 80, 30, [(signal.SIGTERM, 2), (signal.SIGINT, 35)]),
        (2, 40, 15, [(signal.SIGINT, 17)]),
    ],
)
def test_a_stopped_training_saves_a_state_and_goes_on_to_the_same_bytes(
    flight, tmp_path, devices, steps, every, stops
):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    epochs = steps * devices // 20
    command = train(flight, devices, broken, epochs, every)
    for number, least in stops:
        is_time = at_step(broken, least)
        ending = stop(tmp_path, command, is_time, number=number, whole_group=devices == 2)
        states = [int(path.name[6:]) for path in part_of(broken).glob("state-*")]
        assert max(states) >= least and max(states) == steps_in(broken), ending
        assert_stopped(ending, f"rocketqa {DUAL}", number, f"after step {max(states)}")
    run_to_the_end(command)
    run_to_the_end(train(flight, devices, straight, epochs, every))
    assert files_in(broken) == files_in(straight)
    folders = {path.name for path in broken.iterdir() if path.is_dir()}
    assert folders == {f"state-{every}", f"state-{2 * every}"}


def any_file(folder: Path, pattern: str) -> Callable[[], bool]:
    return lambda: any(folder.glob(pattern))


def at_step(output: Path, least: int) -> Callable[[], bool]:
    return lambda: steps_in(output) >= least


def test_a_training_says_where_its_log_is_before_it_begins(flight, tmp_path):
    output = tmp_path / "x"
    ending = stop(tmp_path, train(flight, 1, output, epochs=100), at_step(output, 1))
    [line] = ending.printed
    assert line.endswith(f"; log: {output}.part/train_log.tsv")


@pytest.mark.parametrize("devices, delay", [(1, 0.4), (1, 1.5), (2, 0.4), (2, 3.0)])
def test_a_training_that_is_stopped_before_it_has_work_says_one_line(
    flight, tmp_path, devices, delay
):
    command = train(flight, devices, tmp_path / "x", epochs=1000)
    ending = stop(tmp_path, command, lambda: True, delay, signal.SIGINT)
    assert ending.status == 130
    [line] = ending.complained
    assert re.fullmatch(r"rocketqa .*: stopped( after step \d+)?; call again .*", line)


def commands(flight: Path, output: Path) -> dict[str, list[str]]:
    """Returns a command for each verb that can take long."""
    collection = ["--collection", flight / "collection.tsv"]
    queries = ["--queries", flight / "queries.tsv"]
    dual, cross = (["--checkpoint", flight / model] for model in ("dual", "cross"))
    vectors = ["--query-vectors", flight / "queries", "--passage-vectors", flight / "passages"]
    given = {
        "tokenize": [*dual, "--collection", flight / "many.tsv"],
        "encode": [*dual, "--collection", flight / "many.tsv", "--batch-tokens", "256"],
        "score": [
            *cross,
            *collection,
            *queries,
            "--run",
            flight / "a.run",
            "--batch-tokens",
            "256",
        ],
        "retrieve": [*vectors, "--depth", "1000", "--max-memory", "40KB"],
    }
    return {name: verb(name, *flags, "--output", output) for name, flags in given.items()}


@pytest.mark.parametrize(
    "name, kernels",
    [
        ("tokenize", "yes"),
        ("encode", "yes"),
        ("encode", "no"),
        ("score", "yes"),
        ("retrieve", "yes"),
    ],
)
def test_a_stopped_verb_goes_on_to_the_same_bytes(flight, tmp_path, monkeypatch, name, kernels):
    monkeypatch.setitem(ENVIRONMENT, "ROCKETQA_KERNELS", kernels)
    variables = {"OMP_NUM_THREADS": "2", "ROCKETQA_KERNELS": kernels}
    whole = tmp_path / "whole"
    run_to_the_end(commands(flight, whole)[name])
    command = commands(flight, tmp_path / "made")[name]
    has_begun = part_of(tmp_path / "made").is_dir
    ending = stop(tmp_path, command, has_begun, variables=variables)
    assert_stopped(ending, f"rocketqa {name}", signal.SIGTERM)
    is_time, delay = has_begun, 0.0
    shutil.rmtree(part_of(tmp_path / "made"), ignore_errors=True)  # so that it is seen to begin
    if kernels == "no":  # without them it starts a pool of processes when it has written its graph
        is_time, delay = any_file(tmp_path / "tmp", "rocketqa-*/encoder.pdiparams"), 0.5
    ending = stop(tmp_path, command, is_time, delay, signal.SIGINT, True, variables)
    assert_stopped(ending, f"rocketqa {name}", signal.SIGINT)
    run_to_the_end(command)
    assert files_in(tmp_path / "made") == files_in(whole)


@pytest.mark.parametrize(
    "number, whole_group, delay, devices",
    [
        (signal.SIGTERM, False, 1.0, "1"),
        (signal.SIGINT, True, 0.0, "1"),
        (signal.SIGINT, True, 2.0, "2"),
        (signal.SIGHUP, False, 6.0, "2"),
    ],
)
def test_a_signal_to_a_run_script_ends_what_it_runs(
    small_world, tmp_path, number, whole_group, delay, devices
):
    variables = shrunk_variables(tmp_path, small_world)
    variables |= {"MAX_STEPS": "100000", "EPOCHS_1": "100000", "DEVICES": devices}
    ending = stop(
        tmp_path,
        ["sh", "run_scripts/rocket.sh"],
        (tmp_path / "o/examples.dual.0.tsv").is_file,
        delay,
        number,
        whole_group,
        variables,
    )
    assert ending.status == STATUS[number]
    # A verb that has only just begun, and the script between two verbs, end without a line.
    assert len(ending.complained) <= 1
    for line in ending.complained:
        assert re.fullmatch(r"rocketqa [\w-]+: stopped.*; call again to go on", line)


def test_nothing_goes_on_where_a_run_script_is_killed(small_world, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    variables = shrunk_variables(tmp_path, small_world)
    variables |= {"MAX_STEPS": "100000", "EPOCHS_1": "100000", "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        ["sh", "run_scripts/rocket.sh"],
        cwd=ROOT,
        env=script_environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((tmp_path / "c/dual_encoder_0.part").is_dir, DEADLINE)
    process.kill()
    process.wait()
    assert_none_is_left(tmp_path)
    assert not list(temporary.iterdir()) and not (tmp_path / "c/dual_encoder_0").exists()


@pytest.fixture(scope="module")
def small_world(tmp_path_factory) -> Path:
    sizes = {"train_queries": 60, "dev_queries": 20, "unlabelled_queries": 60}
    return make_toy_data(tmp_path_factory.mktemp("world") / "data", entities=12, **sizes)


@pytest.mark.parametrize("delay", [0.02, 0.5])
def test_the_temporary_file_of_a_plan_goes_with_a_signal(small_world, tmp_path, delay):
    variables = shrunk_variables(tmp_path, small_world)
    plan = ["sh", "run_scripts/rocket.sh", "--plan"]
    ending = stop(tmp_path, plan, lambda: True, delay, variables=variables)
    assert ending.status in (143, -signal.SIGTERM)  # before the script handles signals, the latter
