"""A training killed at any instant goes on to the same bytes."""
import os
import signal
import subprocess
import time

import pytest
from toy_files import ENVIRONMENT, dual_flags, train_dual, verb, write_tiny_flight

WEIGHTS = "model.safetensors"


def killed_after_a_state(folder, output, **changed) -> None:
    """Starts the training and kills it with SIGKILL as soon as a first state is there."""
    process = subprocess.Popen(verb("train-dual-encoder", *dual_flags(folder, output, 4, **changed)), env=ENVIRONMENT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = output.with_name(output.name + ".part")
    deadline = time.monotonic() + 120
    while not list(part.glob("state-*")):
        assert process.poll() is None and time.monotonic() < deadline, "ended before it could be killed"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()


def test_a_killed_training_with_dropout_goes_on_to_the_same_bytes(tmp_path):
    write_tiny_flight(tmp_path, dropout=0.1)
    settings = {"epochs": 30, "save-every": 20}  # 300 steps
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    train_dual(tmp_path, straight, devices=1, batch_size=4, **settings)
    killed_after_a_state(tmp_path, killed, **settings)
    states = [path.name for path in (tmp_path / "killed.part").glob("state-*")]
    train_dual(tmp_path, killed, devices=1, batch_size=4, **settings)
    assert states and states != ["state-300"]
    assert (killed / WEIGHTS).read_bytes() == (straight / WEIGHTS).read_bytes()
    assert not list(killed.glob("state*"))
    columns = [[line.split("\t")[:4] for line in (path / "train_log.tsv").read_text().splitlines()]
               for path in (killed, straight)]
    assert columns[0] == columns[1] and len(columns[0]) == 301


def test_states_of_another_training_are_not_gone_on_from(tmp_path):
    write_tiny_flight(tmp_path)
    killed = tmp_path / "killed"
    killed_after_a_state(tmp_path, killed, **{"epochs": 30, "save-every": 5})
    train_dual(tmp_path, killed, devices=1, batch_size=4, **{"epochs": 2, "seed": 2})
    train_dual(tmp_path, tmp_path / "straight", devices=1, batch_size=4, **{"epochs": 2, "seed": 2})
    assert (killed / WEIGHTS).read_bytes() == (tmp_path / "straight" / WEIGHTS).read_bytes()


def test_a_finished_training_is_not_repeated(tmp_path):
    write_tiny_flight(tmp_path)
    train_dual(tmp_path, tmp_path / "done", devices=1, batch_size=4)
    before = os.stat(tmp_path / "done" / WEIGHTS).st_mtime_ns
    train_dual(tmp_path, tmp_path / "done", devices=1, batch_size=4)
    assert os.stat(tmp_path / "done" / WEIGHTS).st_mtime_ns == before


@pytest.mark.parametrize("file, line, message", [
    ("examples.dual.tsv", "q0\tp0\tp99\n", "passages: expected one with the id 'p99', got none"),
    ("queries.tsv", "q40\n", "queries.tsv:41: expected 2 columns, got 1")])
def test_a_bad_input_ends_the_training_with_one_line_and_status_2(tmp_path, file, line, message):
    write_tiny_flight(tmp_path)
    with (tmp_path / file).open("a") as lines:
        lines.write(line)
    done = subprocess.run(verb("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "out", 4)), env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=120)
    complaint = [line for line in done.stderr.splitlines() if line.startswith("rocketqa train-dual-encoder: ")]
    assert done.returncode == 2 and len(complaint) == 1 and complaint[0].endswith(message)
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()
