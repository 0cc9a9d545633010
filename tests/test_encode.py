"""A passage's vector has the same bytes however the work is cut, shared out or killed."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import paddle
import pytest
from launching import kill_at
from manifests import set_flags
from safetensors.numpy import load_file, save_file
from toy_files import ENVIRONMENT, launched, train_dual, verb, write_tiny_flight

from rocketqa.cli import encode, tokenize
from rocketqa.cli.__main__ import main
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.weights.checkpoint import load_model


def many_passages():
    """Yields 5,000 passages of 1 to 29 words."""
    for i in range(5000):
        title = "t" if i % 3 else ""
        words = [f"w{(i * 7 + j * j) % 40}" for j in range(1 + i % 29)]
        yield f"d{i}\t{title}\t{' '.join(words)}"


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a trained dual encoder and a collection of 5,000 passages."""
    folder = tmp_path_factory.mktemp("encode")
    write_tiny_flight(folder)
    train_dual(folder, folder / "dual", devices=1, batch_size=8)
    write_lines(folder / "many.tsv", many_passages())
    return folder


@pytest.mark.parametrize(
    "changed, refusal",
    [
        (
            {"checkpoint": "examples.dual.tsv", "collection": "nowhere.tsv"},
            "examples.dual.tsv: expected a dual encoder, got a file",
        ),
        ({"collection": "queries.tsv"}, "queries.tsv:1: expected 3 columns, got 2"),
        ({"queries": "many.tsv"}, "many.tsv:1: expected 2 columns, got 3"),
    ],
)
def test_what_cannot_be_encoded_is_refused_and_leaves_nothing(
    flight, tmp_path, capsys, changed, refusal
):
    given = {name: flight / file for name, file in changed.items()}
    assert main(["encode", *flags(flight, tmp_path / "out", **given)]) == 2
    assert f"rocketqa encode: {flight}/{refusal}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def flags(folder: Path, output: Path, **changed: object) -> list[str]:
    source = {} if "queries" in changed else {"collection": folder / "many.tsv"}
    given = {"checkpoint": folder / "dual", "output": output, **source, **changed}
    words = []
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def vectors_in(*outputs: Path) -> dict[str, bytes]:
    """Returns id -> bytes of its vector, of all shards of some folders."""
    found: dict[str, bytes] = {}
    for output in outputs:
        for file in sorted(output.glob("vectors.*.npy")):
            ids = file.with_suffix(".ids").read_text().splitlines()
            vectors = np.load(file)
            assert len(ids) == len(vectors)
            assert not found.keys() & set(ids)
            found |= zip(ids, (vector.tobytes() for vector in vectors))
    return found


@pytest.fixture(scope="module")
def whole(flight) -> dict[str, bytes]:
    """The vectors of one shard, made by one process."""
    assert encode.main(flags(flight, flight / "whole", num_shards=1)) == 0
    return vectors_in(flight / "whole")


def test_every_passage_has_the_vector_that_the_model_gives_it_alone(flight, whole):
    model, text_encoder = load_model(flight / "dual", DualEncoder)
    collection = read_collection(flight / "many.tsv")
    assert whole.keys() == collection.keys()
    for passage_id in random.Random(1).sample(sorted(collection), 30):
        row = text_encoder.passages([collection[passage_id]], 128)
        with paddle.no_grad():
            expected = model.passage_encoder(pack(row)).numpy()[0]
        found = np.frombuffer(whole[passage_id], np.float32)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


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
        environment = ENVIRONMENT | {"OMP_NUM_THREADS": threads}
        subprocess.run(command, env=environment, check=True, capture_output=True)
    assert vectors_in(tmp_path / "1") == vectors_in(tmp_path / "2")


def test_machines_that_share_out_the_shards_make_each_vector_once(flight, whole, tmp_path):
    parts = [tmp_path / f"part-{part}" for part in (1, 2, 3)]
    for part, output in enumerate(parts, 1):
        assert encode.main(flags(flight, output, shard=f"{part}/3")) == 0
    assert vectors_in(*parts) == whole


def test_lengths_that_are_not_given_are_those_of_the_training(flight, whole, tmp_path, capsys):
    checkpoint = tmp_path / "dual"
    shutil.copytree(flight / "dual", checkpoint)
    set_flags(checkpoint, passage_length=10, query_length=9)
    short = flags(flight, tmp_path / "short", checkpoint=checkpoint, num_shards=1)
    assert encode.main(short) == 0
    assert "was trained with" not in capsys.readouterr().err
    job = json.loads((tmp_path / "short" / "meta.json").read_text())["job"]
    assert (job["flags"]["passage_length"], job["flags"]["query_length"]) == (10, 9)
    assert vectors_in(tmp_path / "short") != whole
    given = ["--passage-length", "10", "--query-length", "9", "--check"]
    assert encode.main([*short, *given]) == 0
    assert encode.main([*short, "--passage-length", "12", "--check"]) == 3
    assert encode.main(flags(flight, flight / "whole", num_shards=1, passage_length=128)) == 0
    assert "up to date" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_part_that_does_not_exist_is_refused(flight, tmp_path, part, capsys):
    with pytest.raises(SystemExit, match="2"):
        encode.main([*flags(flight, tmp_path / "out"), f"--shard={part}"])
    assert f"expected I/N with 1 <= I <= N, got {part}" in capsys.readouterr().err


def test_tokens_made_before_give_the_same_vectors(flight, whole, tmp_path):
    store = tmp_path / "tokens"
    words = ["--checkpoint", flight / "dual", "--collection", flight / "many.tsv"]
    assert tokenize.main([*map(str, words), "--output", str(store)]) == 0
    assert encode.main(flags(flight, tmp_path / "out", collection=store)) == 0
    assert vectors_in(tmp_path / "out") == whole


def test_float16_is_float32_rounded(flight, whole, tmp_path):
    assert encode.main(flags(flight, tmp_path / "out", dtype="float16")) == 0
    rounded = {}
    for key, value in whole.items():
        rounded[key] = np.frombuffer(value, np.float32).astype(np.float16).tobytes()
    assert vectors_in(tmp_path / "out") == rounded


def test_two_processes_and_kills_at_any_instant_give_the_same_bytes(flight, whole, tmp_path):
    output = tmp_path / "out"
    part = tmp_path / "out.part"
    arguments = flags(flight, output, num_shards=40)
    instants = random.Random(os.environ.get("KILL_SEED", "1"))
    finished: dict[Path, int] = {}

    def shards() -> list[Path]:
        return list(part.glob("vectors.*.npy"))

    for devices in (1, 2):
        command = verb("encode", *arguments)
        if devices > 1:
            command = launched(tmp_path, devices, "encode", arguments)
        before = len(finished)
        kill_at(command, lambda: len(shards()) > before, instants.uniform(0, 0.03))  # noqa: B023
        assert not output.exists(), "killed too late"
        now = {path: path.stat().st_mtime_ns for path in shards()}
        assert finished.items() <= now.items(), "encoded anew"
        finished = now
    last = verb("encode", *arguments)
    subprocess.run(last, env=ENVIRONMENT, check=True, capture_output=True, timeout=120)
    assert len(finished) > 1
    assert vectors_in(output) == whole
    assert {path.name.split(".")[0] for path in output.iterdir()} == {"vectors", "meta"}


def test_a_run_has_its_queries_in_the_order_of_their_file(flight, tmp_path):
    assert encode.main(flags(flight, tmp_path / "v", queries=flight / "queries.tsv")) == 0
    ids = (tmp_path / "v/vectors.00000.ids").read_text().split()
    assert ids == list(read_queries(flight / "queries.tsv"))


def test_a_vector_that_is_not_finite_is_refused_with_its_passage(flight, tmp_path, capsys):
    checkpoint = tmp_path / "dual"
    shutil.copytree(flight / "dual", checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    name = "passage_encoder.embeddings.layer_norm.weight"
    weights[name][:] = np.finfo(np.float32).max  # finite, but its products are not
    save_file(weights, checkpoint / "model.safetensors")
    (checkpoint / "meta.json").unlink()  # its digests refuse these weights, too
    output = tmp_path / "out"
    given = {"checkpoint": checkpoint, "collection": flight / "collection.tsv"}
    assert main(["encode", *flags(flight, output, **given)]) == 2
    line = f"{checkpoint}: expected finite vectors, got nan or infinity for passage 'p"
    assert line in capsys.readouterr().err
    assert not output.exists()
