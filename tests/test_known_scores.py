"""Pairs that the same cross encoder has scored before are not computed again."""

import json
from pathlib import Path

import pytest
from toy_files import train_cross, write_tiny_flight

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.inference.engine import Engine

QUERIES = 12
PASSAGES = 5


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a cross encoder, a run, and the scores of its first two ranks."""
    folder = tmp_path_factory.mktemp("known")
    write_tiny_flight(folder)
    train_cross(folder, folder / "cross", epochs=1)
    lines = []
    for query in range(QUERIES):
        for rank in range(1, PASSAGES + 1):
            lines.append(f"q{query}\tQ0\tp{(query + 7 * rank) % 40}\t{rank}\t{-rank}\tx")
    write_lines(folder / "a.run", lines)
    assert score(folder, folder / "known.run", depth=2) == 0
    return folder


def score(folder: Path, output: Path, **flags: object) -> int:
    """Scores the run, and returns the exit status."""
    given = {
        "checkpoint": folder / "cross",
        "collection": folder / "collection.tsv",
        "queries": folder / "queries.tsv",
        "run": folder / "a.run",
        "output": output,
    }
    words = ["score"]
    for name, value in (given | flags).items():
        words += [f"--{name}", str(value)]
    return main(words)


def test_known_pairs_are_not_computed_and_the_run_has_the_same_bytes(flight, tmp_path, monkeypatch):
    computed = []
    run_all = Engine.run_all

    def noting_run_all(engine, rows, batch_tokens):
        computed.append(len(rows))
        return run_all(engine, rows, batch_tokens)

    monkeypatch.setattr(Engine, "run_all", noting_run_all)
    assert score(flight, tmp_path / "all.run") == 0
    assert score(flight, tmp_path / "rest.run", known=flight / "known.run") == 0
    assert sum(computed) == QUERIES * PASSAGES + QUERIES * (PASSAGES - 2)
    assert (tmp_path / "rest.run").read_bytes() == (tmp_path / "all.run").read_bytes()
    cut = [
        json.loads((tmp_path / f"{name}.run.meta.json").read_text())["cut"]
        for name in ("all", "rest")
    ]
    assert cut[0] == cut[1] and sum(cut[0].values()) > 0


def test_a_run_of_which_every_pair_is_known_needs_no_computing(flight, tmp_path):
    output = tmp_path / "same.run"
    assert score(flight, output, depth=2, known=flight / "known.run") == 0
    assert output.read_bytes() == (flight / "known.run").read_bytes()


@pytest.mark.parametrize(
    "flags, fault",
    [
        ({"max-length": 12}, "expected scores with --max-length 12, got 160"),
        ({"precision": "reduced"}, "expected scores with --precision reduced, got float32"),
        ({"queries": "other.tsv"}, "expected scores of the same queries, got those of another"),
        ({"known": "a.run"}, "expected scores of the same checkpoint, got those of another"),
    ],
)
def test_scores_that_were_made_otherwise_are_refused(flight, tmp_path, capsys, flags, fault):
    (flight / "other.tsv").write_text((flight / "queries.tsv").read_text() + "q99\tx\n")
    given = {"known": "known.run"} | flags
    for name in ("known", "queries"):
        if name in given:
            given[name] = flight / given[name]
    assert score(flight, tmp_path / "b.run", **given) == 2
    assert capsys.readouterr().err == f"rocketqa score: {given['known']}: {fault}\n"
    assert not list(tmp_path.iterdir())
