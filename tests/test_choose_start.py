"""The verb measures as encoding, retrieving and evaluating do, and chooses the highest measure."""

import pytest
from safetensors.numpy import load_file, save_file
from toy_files import write_tiny_flight

from rocketqa.cli.__main__ import main

HEAD = "representation\tsimilarity\tMRR@10\tas_the_weights_say\tchosen\tlength"


def run_verb(*words: object) -> int:
    """Runs a verb in this process, which loads Paddle once, and returns its exit status."""
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder)
    weights = folder / "init/model.safetensors"
    initial = load_file(weights)
    for name, value in initial.items():
        if name.endswith("weight") and "norm" not in name:
            initial[name] = value * 20  # so that no two scores are nearly equal
    save_file(initial, weights)
    return folder


def choose(flight, output, **flags) -> list[list[str]]:
    """Runs the verb and returns the rows of its table, without their heading."""
    files = {name: flight / f"{name}.tsv" for name in ("collection", "queries", "qrels")}
    words = []
    for name, value in (files | {"init": flight / "init", "output": output} | flags).items():
        words += [f"--{name}", *(value if isinstance(value, list) else [value])]
    assert run_verb("choose-start", *words) == 0
    head, *lines = (output / "choice.tsv").read_text().splitlines()
    assert head == HEAD
    return [line.split("\t") for line in lines]


def mrr_by_the_verbs(flight, folder, representation: str, similarity: str, length=128) -> float:
    """Returns MRR@10 of a training of no steps, by encoding, retrieving and evaluating."""
    model = folder / "start"
    run_verb(
        *("train-dual-encoder", "--init", flight / "init", "--epochs", 0, "--output", model),
        *("--representation", representation, "--similarity", similarity),
        *("--passage-length", length),
        *("--collection", flight / "collection.tsv", "--queries", flight / "queries.tsv"),
        *("--examples", flight / "examples.dual.tsv", "--batch-size", 4, "--seed", 1),
        *("--learning-rate", 1e-3, "--warmup", 0, "--decay", "linear", "--weight-decay", 0),
    )
    for source in ("collection", "queries"):
        files = (f"--{source}", flight / f"{source}.tsv", "--output", folder / source)
        run_verb("encode", "--checkpoint", model, *files)
    vectors = ("--query-vectors", folder / "queries", "--passage-vectors", folder / "collection")
    run_verb("retrieve", *vectors, "--depth", 40, "--output", folder / "run")
    qrels, measures = flight / "qrels.tsv", folder / "measures.tsv"
    run_verb("evaluate", "--run", folder / "run", "--qrels", qrels, "--output", measures)
    lines = measures.read_text().splitlines()
    return float(dict(line.split("\t") for line in lines)["MRR@10"])


def test_the_measures_are_those_of_the_verbs_and_the_highest_is_chosen(flight, tmp_path):
    rows = choose(flight, tmp_path / "choice")
    assert [row[:2] for row in rows] == [
        *(["first", "dot"], ["first", "cosine"], ["mean", "dot"], ["mean", "cosine"])
    ]
    assert [row[3] for row in rows] == ["yes", "no", "no", "no"]
    [chosen] = [row for row in rows if row[4] == "yes"]
    assert float(chosen[2]) == max(float(row[2]) for row in rows)
    for row in rows[1:3]:
        (tmp_path / row[0]).mkdir()
        assert float(row[2]) == round(mrr_by_the_verbs(flight, tmp_path / row[0], *row[:2]), 4)


def test_what_is_set_is_not_measured_again(flight, tmp_path):
    rows = choose(flight, tmp_path / "choice", representation="mean", passages=0)
    assert [row[:2] for row in rows] == [["mean", "dot"], ["mean", "cosine"]]
    assert [row[3] for row in rows] == ["yes", "no"]


def test_longer_lengths_are_measured_with_the_best_as_far_as_passages_are_cut(flight, tmp_path):
    lengths = {"passage-length": 8, "longer": [16, 9, 20]}
    rows = choose(flight, tmp_path / "choice", representation="mean", **lengths)
    assert [int(row[5]) for row in rows] == [8, 8, 9, 16]  # 16 tokens cut no passage of the flight
    best = max(rows[:2], key=lambda row: float(row[2]))
    assert rows[2][:2] == rows[3][:2] == best[:2]
    assert float(rows[2][2]) == round(mrr_by_the_verbs(flight, tmp_path, *best[:2], length=9), 4)


def test_a_length_beyond_the_positions_of_the_weights_is_not_measured(flight, tmp_path):
    lengths = {"passage-length": 8, "longer": [512]}
    rows = choose(flight, tmp_path / "choice", representation="mean", **lengths)
    assert [int(row[5]) for row in rows] == [8, 8]


def test_a_label_of_no_passage_is_one_line_and_nothing_is_made(flight, tmp_path, capsys):
    (tmp_path / "qrels.tsv").write_text("q1\t0\tnowhere\t1\n")
    status = run_verb(
        *("choose-start", "--init", flight / "init", "--queries", flight / "queries.tsv"),
        *("--collection", flight / "collection.tsv", "--qrels", tmp_path / "qrels.tsv"),
        *("--output", tmp_path / "choice"),
    )
    assert status == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rocketqa choose-start: {tmp_path}/qrels.tsv:1: expected ")
    assert "'nowhere'" in line
    assert not list(tmp_path.glob("choice*"))
