"""After a power cut at any instant, the same call ends in the same bytes."""

import os
import random
from pathlib import Path

import pytest
from power_cuts import Recording, recorded

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.inference import scoring
from rocketqa.jobs.durable import sync
from rocketqa.search import batch_retrieval

CUTS = int(os.environ.get("CUTS", "2"))  # of each call
SEED = os.environ.get("CUT_SEED", "1")
VECTORS = ["--checkpoint", "dual", "--num-shards", "3"]
TRAINING = [
    *["--init", "init", "--queries", "queries.tsv", "--epochs", "1", "--collection"],
    *["collection.tsv", "--learning-rate", "0.001", "--warmup", "0.1", "--decay", "linear"],
    *["--weight-decay", "0", "--seed", "1", "--save-every", "3", "--evaluate-every", "2"],
]
DUAL = ["--examples", "examples.dual.tsv", "--dev-examples", "examples.dual.tsv"]
CROSS = ["--examples", "examples.cross.tsv", "--dev-examples", "examples.cross.tsv"]
RETRIEVE = ["retrieve", "--query-vectors", "queries", "--passage-vectors", "vectors"]
CALLS = {
    "tokenize": ["tokenize", "--collection", "collection.tsv", "--checkpoint", "dual"],
    "sample-negatives": [
        *["sample-negatives", "--for", "dual", "--negatives", "1", "--seed", "1"],
        *["--qrels", "qrels.tsv", "--collection", "collection.tsv"],
    ],
    "encode": ["encode", *VECTORS, "--collection", "collection.tsv"],
    "retrieve": [*RETRIEVE, "--depth", "5"],
    "score": [
        *["score", "--checkpoint", "cross", "--queries", "queries.tsv", "--run", "a.run"],
        *["--collection", "collection.tsv"],
    ],
    "export": ["export", "--checkpoint", "dual", "--format", "huggingface"],
    "pseudo-label": [
        *["pseudo-label", "--run", "scored.run", "--scores", "scored.run", "--negatives", "1"],
    ],
    "report-denoising": [
        *["report-denoising", "--run", "scored.run", "--scores", "scored.run", "--seed", "1"],
        *["--collection", "collection.tsv", "--queries", "queries.tsv", "--qrels", "qrels.tsv"],
    ],
    "evaluate": ["evaluate", "--run", "a.run", "--qrels", "qrels.tsv", "--measures", "MRR@10"],
    "statistics": ["statistics", "--collection", "collection.tsv", "--queries", "queries.tsv"],
    "index": ["index", "--passage-vectors", "vectors", "--factory", "IVF2,Flat"],
    "remove-passages": ["remove-passages", "--passage-vectors", "vectors", "--ids", "gone.txt"],
    "retrieve-grown": [*RETRIEVE, "added", "removed", "--depth", "5", "--index", "index"],
    "train-dual": ["train-dual-encoder", *TRAINING, *DUAL, "--batch-size", "5", "--keep", "1"],
    "train-cross": ["train-cross-encoder", *TRAINING, *CROSS, "--batch-size", "8"],
}
OLDER = {  # an artefact that the call replaces
    "retrieve": [*RETRIEVE, "--depth", "4"],
    "tokenize": ["tokenize", "--queries", "queries.tsv", "--checkpoint", "dual"],
    "index": ["index", "--passage-vectors", "vectors", "--factory", "Flat"],
}


@pytest.fixture(scope="module")
def inputs(encoded):
    """A folder with the inputs of all calls."""
    queries = ["encode", *VECTORS, "--queries", "queries.tsv", "--output", "queries"]
    assert call(queries, encoded) == 0
    grow(encoded)
    lines = [f"q{i}\tQ0\tp{(i * 7) % 40}\t1\t1\tx" for i in range(40)]
    write_lines(encoded / "a.run", lines)
    scored = [f"q{i // 2}\tQ0\tp{i}\t{i % 2 + 1}\t{1 - i % 2}\tx" for i in range(40)]
    write_lines(encoded / "scored.run", scored)
    return encoded


def grow(folder: Path) -> None:
    """Adds a passage to the encoding in a folder, removes another, and makes an index of it."""
    write_lines(folder / "gone.txt", ["p3"])
    write_lines(folder / "added.tsv", ["new\t\tw1 w2 w3"])
    grown = ["--passage-vectors", "vectors", "added", "removed"]
    for words in (
        ["encode", *VECTORS, "--collection", "added.tsv", "--output", "added"],
        [*CALLS["remove-passages"], "--output", "removed"],
        ["index", *grown, "--factory", "Flat", "--output", "index"],
    ):
        assert call(words, folder) == 0


def call(words: list[str], folder: Path) -> int:
    """Runs a verb in a folder and returns its exit status."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return main(words)
    finally:
        os.chdir(before)


def result(folder: Path) -> dict[str, object]:
    """Returns what is below a folder: name -> bytes; of the training log, what has no rates."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else None
        if path.name == "train_log.tsv":
            lines = path.read_text().splitlines()
            found[path.name] = [line.split("\t")[:5] for line in lines]
        else:
            found[str(path.relative_to(folder))] = content
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_lost_its_power_ends_in_the_same_bytes(inputs, tmp_path, monkeypatch, name):
    monkeypatch.setattr(scoring, "BLOCK_PAIRS", 8)
    monkeypatch.setattr(batch_retrieval, "SEGMENT_QUERIES", 16)
    whole = tmp_path / "whole"
    whole.mkdir()
    if name in OLDER:
        assert call([*OLDER[name], "--output", str(whole / "out")], inputs) == 0
    with recorded(whole) as recording:
        assert call([*CALLS[name], "--output", str(whole / "out")], inputs) == 0
    chance = random.Random(f"{SEED} {name}")
    for number in range(CUTS):
        folder = tmp_path / f"cut-{number}"
        recording.cut(folder, chance)
        left = sorted(result(folder))
        assert call([*CALLS[name], "--output", str(folder / "out")], inputs) == 0, left
        assert result(folder) == result(whole), left


def cuts_of(recording: Recording, folder: Path) -> list[set[bytes]]:
    """Returns the contents that a file `a` has had after many cuts."""
    chance = random.Random(1)
    found = set()
    for number in range(300):
        recording.cut(folder / str(number), chance)
        path = folder / str(number) / "a"
        found.add(path.read_bytes() if path.is_file() else None)
    return found


@pytest.mark.parametrize("is_synced", [False, True])
def test_the_simulated_disk_loses_what_was_not_synced(tmp_path, is_synced):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "a").write_bytes(b"old")
    with recorded(disk) as recording:
        (disk / "a.tmp").write_bytes(b"new")
        if is_synced:
            sync(disk / "a.tmp")
        os.replace(disk / "a.tmp", disk / "a")
    found = cuts_of(recording, tmp_path / "cuts")
    assert (b"" in found, bytes(3) in found) == (not is_synced, not is_synced)
    assert b"new" in found


def test_the_simulated_disk_keeps_the_names_of_a_synced_folder(tmp_path):
    (tmp_path / "disk").mkdir()
    with recorded(tmp_path / "disk") as recording:
        (tmp_path / "disk/a").write_bytes(b"")
        sync(tmp_path / "disk")
    safe = recording.instants[recording.instants[-1].safe]
    assert list(safe.names) == ["a"]
