"""The measure while a model trains is that of retrieval over the passages of the dev examples."""

import numpy as np
import pytest
from toy_files import cross_flags, train_cross, train_dual, write_tiny_flight
from training_logs import complaint, log_of, run_verb, weights


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    return folder


def test_the_dev_measure_is_that_of_the_verbs(flight):
    """The same MRR@10 as encoding, retrieving and evaluating over the passages of the examples."""
    dev = {"evaluate-every": 20, "dev-examples": flight / "examples.dual.tsv"}
    train_dual(flight, flight / "measured", devices=1, batch_size=4, **dev)
    checkpoint = ("--checkpoint", flight / "measured")
    for source in ("collection", "queries"):
        files = (f"--{source}", flight / f"{source}.tsv", "--output", flight / f"{source}.vectors")
        run_verb("encode", *checkpoint, *files)
    vectors = ("--query-vectors", flight / "queries.vectors")
    vectors += ("--passage-vectors", flight / "collection.vectors")
    run_verb("retrieve", *vectors, "--depth", 40, "--output", flight / "dev.run")
    printed = run_verb("evaluate", "--run", flight / "dev.run", "--qrels", flight / "qrels.tsv")
    measures = dict(line.split("\t") for line in printed.splitlines())
    found = float(log_of(flight / "measured")[-1]["dev_MRR@10"])
    assert found == pytest.approx(float(measures["MRR@10"]), abs=1e-6)


def test_a_cross_encoder_trains_with_fgm_chunks_and_a_dev_measure(flight):
    output = flight / "cross"
    settings = {"accumulate": 2, "batch-size": 4, "epochs": 2}
    dev = {"evaluate-every": 5, "dev-examples": flight / "examples.cross.tsv"}
    train_cross(flight, output, fgm=0.01, **settings, **dev)
    log = log_of(output)
    assert len(log) == 10
    assert [row["step"] for row in log if row["dev_MRR@10"]] == ["5", "10"]
    assert all(np.isfinite(float(row["gradient_norm"])) for row in log)
    train_cross(flight, flight / "cross-clean", **settings)
    assert weights(flight / "cross-clean") != weights(output)


def test_measuring_on_dev_wants_examples_and_examples_want_measuring(flight):
    flags = cross_flags(flight, flight / "x", **{"evaluate-every": 5})
    expected = "--evaluate-every: expected it together with --dev-examples, got one alone"
    assert complaint("train-cross-encoder", *flags) == expected
