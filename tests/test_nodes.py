"""Two hosts carry out one flight: to the bytes of one host; a lost one ends the other, named."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import paddle  # noqa: F401  The processes below are forked with it.
import pytest
from forked import Forked
from hosts import ADDRESSES, Hosts, two_hosts
from script_runs import ROOT, path_with, script_environment
from toy_files import train_cross, write_tiny_flight
from waiting import wait_until

from rocketqa.cli.__main__ import main
from rocketqa.distributed.addresses import endpoint
from rocketqa.distributed.nodes import follow, lead, numbers
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.stopping import run_until_stopped

PORT = 4711
MASTER = f"{ADDRESSES[0]}:{PORT}"
SILENCE = 1.0  # seconds
NAME = "flight.sh"


@pytest.fixture
def hosts():
    with two_hosts() as made:
        yield made


def leading(hosts: Hosts, folder: Path, script: str = "sleep 60") -> Callable[[], None]:
    """Returns what host 0 does: it runs a script."""

    def work() -> int:
        words = ["sh", "-c", script]
        return lead(2, endpoint(MASTER), NAME, words, str(folder), [str(folder)], SILENCE)

    return lambda: ended(hosts, 0, work)


def following(hosts: Hosts, place: str = ".") -> Callable[[], None]:
    """Returns what host 1 does, in a folder."""

    def work() -> int:
        os.chdir(place)
        return follow(2, 1, endpoint(MASTER), NAME, SILENCE)

    return lambda: ended(hosts, 1, work)


def ended(hosts: Hosts, host: int, work: Callable[[], int]) -> None:
    hosts.enter(host)
    try:
        status = run_until_stopped(f"{NAME}: node {host}", work)
    except DataError as error:
        print(error, flush=True)
        status = 2
    sys.stdout.flush()
    os._exit(status)


def started(hosts: Hosts, folder: Path, script: str = "sleep 60") -> list[Forked]:
    """Starts host 1 and then host 0, and returns both when the script runs."""
    second = Forked(folder, "1.log", following(hosts))
    time.sleep(0.3)
    first = Forked(folder, "0.log", leading(hosts, folder, f"touch begun; {script}"))
    wait_until((folder / "begun").exists)
    return [first, second]


def test_all_nodes_end_with_the_exit_status_of_the_script(hosts, tmp_path):
    first, second = started(hosts, tmp_path, "sleep 0.3; exit 7")
    assert first.ending() == (7, "")
    assert second.ending() == (7, f"{NAME}: node 0 ended with exit status 7\n")
    assert not list(tmp_path.glob(".seen*"))


def test_a_host_that_is_cut_off_ends_both_and_each_names_the_other(hosts, tmp_path):
    processes = started(hosts, tmp_path)
    time.sleep(0.3)
    hosts.cut(1)
    for node, process in enumerate(processes):
        status, said = process.ending()
        line = f"{NAME}: expected every node to answer, got nothing from node {1 - node} for 1 s"
        assert status == 2 and said.startswith(line)
        assert said.endswith(f"(told by node {node})\n")


@pytest.mark.parametrize("host", [0, 1])
def test_a_host_that_dies_ends_the_other_and_is_named(hosts, tmp_path, host):
    processes = started(hosts, tmp_path)
    time.sleep(0.3)
    processes[host].kill()
    status, said = processes[1 - host].ending()
    assert status == 2 and f"node {host}" in said or "expected node 0 to go on" in said


def test_a_node_that_is_stopped_ends_the_other_at_once(hosts, tmp_path):
    first, second = started(hosts, tmp_path)
    second.send_signal(signal.SIGTERM)
    assert second.ending() == (143, f"{NAME}: node 1: stopped; call again to go on\n")
    status, said = first.ending()
    assert status == 2 and "got the end of one: node 1 (" in said and "was stopped" in said


def test_a_taken_port_is_one_line(hosts, tmp_path):
    def listen() -> None:
        hosts.enter(0)
        with socket.create_server(("", PORT)):
            (tmp_path / "listens").touch()
            time.sleep(60)

    other = Forked(tmp_path, "other.log", listen)
    wait_until((tmp_path / "listens").exists)
    process = Forked(tmp_path, "0.log", leading(hosts, tmp_path))
    assert process.ending() == (2, f"{MASTER}: expected a free port, got one in use\n")
    other.kill()


@pytest.mark.parametrize(
    "nodes, node, line",
    [
        ("two", "0", "NODES: expected a whole number from 1, got two"),
        ("2", "2", "NODE: expected the number of this node, 0 to 1, got 2"),
        ("2", "", "NODE: expected the number of this node, 0 to 1, got none"),
    ],
)
def test_numbers_of_nodes_that_are_none_are_one_line(nodes, node, line):
    with pytest.raises(DataError, match=f"^{line}$"):
        numbers(nodes, node)


LAUNCHES = """
. run_scripts/lib.sh
load_env "$1"
launch 2 train-dual-encoder --output "$OUTPUT_DIR/dual" --init "$DATA_DIR/init" \
    --collection "$DATA_DIR/collection.tsv" --queries "$DATA_DIR/queries.tsv" \
    --examples "$DATA_DIR/examples.dual.tsv" --batch-size 8 --max-steps 2 --seed 1 \
    --epochs 1 --learning-rate 1e-3 --warmup 0 --decay linear --weight-decay 0
if [ "${TRAIN_ONLY-no}" = no ]; then
    launch 2 encode --output "$OUTPUT_DIR/vectors" --checkpoint "$OUTPUT_DIR/dual" \
        --collection "$DATA_DIR/many.tsv" --num-shards 2
    launch 2 score --output "$OUTPUT_DIR/scored.run" --checkpoint "$DATA_DIR/cross" \
        --collection "$DATA_DIR/many.tsv" --queries "$DATA_DIR/queries.tsv" \
        --run "$DATA_DIR/found.run"
fi
"""


def launches(env: Path, *before: str, **variables: str) -> subprocess.Popen[str]:
    """Starts a script that trains, encodes and scores on two devices."""
    ready = {"ROCKETQA_READY": "yes", "PATH": path_with(), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*before, "sh", "-euc", LAUNCHES, "run_scripts/launches.sh", env],
        cwd=ROOT,
        env=script_environment(**ready, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write_inputs(folder: Path) -> Path:
    """Writes what the launches need, and their env file."""
    write_tiny_flight(folder)
    train_cross(folder, folder / "cross", **{"max-steps": 1})
    write_lines(folder / "many.tsv", (f"d{i}\t\tw{i % 40} w{i * i % 40}" for i in range(3000)))
    pairs = (f"q{i % 40}\tQ0\td{i % 40 + i // 40}\t{1 + i // 40}\t{-i}\tx" for i in range(4400))
    write_lines(folder / "found.run", pairs)
    env = folder / "my.env"
    env.write_text(f"DATA_DIR={folder}\nOUTPUT_DIR={folder}/two\n")
    return env


def results(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of the model, the vectors and the scores in a folder."""
    files = [folder / "dual/model.safetensors", *(folder / "vectors").glob("*.npy")]
    files.append(folder / "scored.run")
    return {file.name: file.read_bytes() for file in files if file.exists()}


def test_folders_that_a_host_does_not_share_are_named_before_anything_starts(hosts, tmp_path):
    def work() -> int:
        os.chdir(tmp_path)
        words = ["sh", "-c", "touch begun"]
        return lead(2, endpoint(MASTER), NAME, words, ".", ["."], SILENCE)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first = Forked(tmp_path, "0.log", lambda: ended(hosts, 0, work))
    second = Forked(tmp_path, "1.log", following(hosts, str(elsewhere)))
    for process in (first, second):
        status, said = process.ending()
        assert status == 2
        assert said.startswith(".: expected the same on all nodes, got another on node 1 (")
    assert not list(tmp_path.glob(".seen*")) and not (tmp_path / "begun").exists()


def test_two_hosts_train_encode_and_score_to_the_bytes_of_one(hosts, tmp_path):
    env = write_inputs(tmp_path)
    nodes = {"NODES": "2", "MASTER": MASTER}
    processes = [launches(env, *hosts.on(host), NODE=str(host), **nodes) for host in (0, 1)]
    for process in processes:
        _, complained = process.communicate(timeout=400)
        assert process.returncode == 0, complained
    two = results(tmp_path / "two")
    assert len(two) == 4
    one = tmp_path / "one"
    process = launches(env, OUTPUT_DIR=str(one), TRAIN_ONLY="yes")
    _, complained = process.communicate(timeout=400)
    assert process.returncode == 0, complained
    collection = ["--collection", str(tmp_path / "many.tsv")]
    assert not main(
        ["encode", "--output", str(one / "vectors"), "--checkpoint", str(one / "dual")]
        + [*collection, "--num-shards", "2"]
    )
    assert not main(
        ["score", "--output", str(one / "scored.run"), "--checkpoint", str(tmp_path / "cross")]
        + [*collection, "--queries", str(tmp_path / "queries.tsv")]
        + ["--run", str(tmp_path / "found.run")]
    )
    assert results(one) == two
