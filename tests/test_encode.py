"""A passage's vector has the same bytes however the work is cut, shared out or killed."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import paddle
import pytest
from toy_files import ENVIRONMENT, launched, train_dual, verb, write_tiny_flight

from rocketqa.cli import encode, tokenize
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.weights.checkpoint import load_model


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a trained dual encoder and a collection of 5,000 passages."""
    folder = tmp_path_factory.mktemp("encode")
    write_tiny_flight(folder)
    train_dual(folder, folder / "dual", devices=1, batch_size=8)
    write_lines(
        folder / "many.tsv",
        (
            f"d{i}\t{'t' if i % 3 else ''}\t{' '.join(f'w{(i * 7 + j * j) % 40}' for j in range(1 + i % 29))}"
            for i in range(5000)
        ),
    )
    return folder


def flags(folder: Path, output: Path, **changed: object) -> list[str]:
    given = {"checkpoint": folder / "dual", "output": output} | (
        changed if "queries" in changed else {"collection": folder / "many.tsv"} | changed
    )
    return [
        str(word)
        for name, value in given.items()
        for word in (f"--{name.replace('_', '-')}", value)
    ]


def vectors_in(*outputs: Path) -> dict[str, bytes]:
    """Returns id -> bytes of its vector, of all shards of some folders."""
    found: dict[str, bytes] = {}
    for file in (file for output in outputs for file in sorted(output.glob("vectors.*.npy"))):
        ids, vectors = file.with_suffix(".ids").read_text().splitlines(), np.load(file)
        assert len(ids) == len(vectors) and not found.keys() & set(ids)
        found |= zip(ids, (vector.tobytes() for vector in vectors))
    return found


@pytest.fixture(scope="module")
def whole(flight) -> dict[str, bytes]:
    """The vectors of one shard, made by one process."""
    assert encode.main(flags(flight, flight / "whole", num_shards=1)) == 0
    return vectors_in(flight / "whole")


def test_every_passage_has_the_vector_that_the_model_gives_it_alone(flight, whole):
    model, text_encoder = load_model(flight / "dual", DualEncoder)
    model.eval()
    collection = read_collection(flight / "many.tsv")
    assert whole.keys() == collection.keys()
    with paddle.no_grad():
        for passage_id in random.Random(1).sample(sorted(collection), 30):
            expected = model.passage_encoder(
                pack(text_encoder.passages([collection[passage_id]], 128))
            ).numpy()[0]
            np.testing.assert_allclose(
                np.frombuffer(whole[passage_id], np.float32), expected, rtol=0, atol=1e-5
            )


@pytest.mark.parametrize("shards", [3, 8])
def test_a_passage_has_the_same_vector_whatever_the_number_of_shards(
    flight, whole, tmp_path, shards
):
    assert encode.main(flags(flight, tmp_path / "out", num_shards=shards)) == 0
    assert len(list((tmp_path / "out").glob("vectors.*.npy"))) == shards
    assert vectors_in(tmp_path / "out") == whole


def test_a_passage_has_the_same_vector_whatever_the_number_of_threads(flight, tmp_path):
    for threads in ("1", "2"):
        command = verb("encode", *flags(flight, tmp_path / threads, num_shards=1, batch_tokens=512))
        subprocess.run(
            command, env=ENVIRONMENT | {"OMP_NUM_THREADS": threads}, check=True, capture_output=True
        )
    assert vectors_in(tmp_path / "1") == vectors_in(tmp_path / "2")


def test_machines_that_share_out_the_shards_make_each_vector_once(flight, whole, tmp_path):
    parts = [tmp_path / f"part-{part}" for part in (1, 2, 3)]
    for part, output in enumerate(parts, 1):
        assert encode.main(flags(flight, output, shard=f"{part}/3")) == 0
    assert vectors_in(*parts) == whole


def test_tokens_made_before_give_the_same_vectors(flight, whole, tmp_path):
    store = tmp_path / "tokens"
    assert (
        tokenize.main(
            [
                "--checkpoint",
                str(flight / "dual"),
                "--collection",
                str(flight / "many.tsv"),
                "--output",
                str(store),
            ]
        )
        == 0
    )
    assert encode.main(flags(flight, tmp_path / "out", collection=store)) == 0
    assert vectors_in(tmp_path / "out") == whole


def test_float16_is_float32_rounded(flight, whole, tmp_path):
    assert encode.main(flags(flight, tmp_path / "out", dtype="float16")) == 0
    assert vectors_in(tmp_path / "out") == {
        key: np.frombuffer(value, np.float32).astype(np.float16).tobytes()
        for key, value in whole.items()
    }


def test_two_processes_and_kills_at_any_instant_give_the_same_bytes(flight, whole, tmp_path):
    output, arguments = tmp_path / "out", flags(flight, tmp_path / "out", num_shards=40)
    instants, finished = random.Random(os.environ.get("KILL_SEED", "1")), {}
    for devices in (1, 2):
        kill(arguments, tmp_path, devices, len(finished), instants.uniform(0, 0.03))
        assert not output.exists(), "killed too late"
        now = {
            path: path.stat().st_mtime_ns for path in (tmp_path / "out.part").glob("vectors.*.npy")
        }
        assert finished.items() <= now.items(), "encoded anew"
        finished = now
    os.rename(
        tmp_path / "out.part/.tokens", tmp_path / "out.part/.tokens.stale"
    )  # a kill while they were removed
    next((tmp_path / "out.part/.tokens.stale").glob("texts.*")).unlink()
    done = subprocess.run(
        launched(tmp_path, 2, "encode", arguments),
        env=ENVIRONMENT,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0 and len(finished) > 1 and vectors_in(output) == whole
    assert {path.name.split(".")[0] for path in output.iterdir()} == {"vectors", "meta"}


def kill(arguments: list[str], folder: Path, devices: int, finished: int, instant: float) -> None:
    """Starts the verb and kills all its processes with SIGKILL, so long after one shard more is finished."""
    command = (
        verb("encode", *arguments)
        if devices == 1
        else launched(folder, devices, "encode", arguments)
    )
    process = subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(list((folder / "out.part").glob("vectors.*.npy"))) <= finished:
        assert process.poll() is None and time.monotonic() < deadline, (
            "ended before it could be killed"
        )
        time.sleep(0.001)
    time.sleep(instant)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_run_has_its_queries_in_the_order_of_their_file(flight, tmp_path):
    assert encode.main(flags(flight, tmp_path / "v", queries=flight / "queries.tsv")) == 0
    assert (tmp_path / "v/vectors.00000.ids").read_text().split() == list(
        read_queries(flight / "queries.tsv")
    )
