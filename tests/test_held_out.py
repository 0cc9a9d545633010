"""A cross encoder is trained until held-out pairs are separated, and not on these pairs."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from toy_files import WORDS, cross_flags, write_tiny_flight
from training_logs import log_of, weights

from rocketqa.cli.__main__ import main
from rocketqa.files.examples import LabelledPair
from rocketqa.files.formats import write_lines
from rocketqa.training import held_out
from rocketqa.training.held_out import (
    FEWEST_QUERIES,
    PATIENCE,
    Ending,
    HeldOut,
    Separation,
    auc,
    log_loss,
    split,
)

QUERIES = 120


def pairs_of(queries: int) -> list[LabelledPair]:
    """Returns a relevant pair and another one of each query."""
    pairs = []
    for i in range(queries):
        pairs.append(LabelledPair(f"q{i}", f"p{i % 40}", 1))
        pairs.append(LabelledPair(f"q{i}", f"p{(i + 11) % 40}", 0))
    return pairs


def test_whole_queries_are_held_out_by_the_seed_and_their_ids():
    pairs = pairs_of(QUERIES)
    training, apart = split(pairs, 20, seed=1, batch=8)
    held_out_ids = {pair.query_id for pair in apart}
    assert len(held_out_ids) == 20 and len(apart) == 40
    assert not held_out_ids & {pair.query_id for pair in training}
    assert sorted(training + apart) == sorted(pairs)
    assert {pair.query_id for pair in split(pairs[::-1], 20, 1, 8)[1]} == held_out_ids
    assert {pair.query_id for pair in split(pairs, 20, 2, 8)[1]} != held_out_ids


def test_at_most_a_fifth_is_held_out_and_a_batch_stays():
    pairs = pairs_of(QUERIES)
    assert len(split(pairs, 1000, 1, 8)[1]) == 2 * QUERIES // 5
    training, apart = split(pairs, 1000, 1, batch=2 * QUERIES - 44)
    assert len(apart) == 44 and len(training) == 2 * QUERIES - 44


def test_queries_with_one_label_only_are_not_held_out():
    pairs = pairs_of(QUERIES)
    pairs += [LabelledPair(f"one{i}", "p1", 1) for i in range(QUERIES)]
    assert not [pair for pair in split(pairs, 1000, 1, 8)[1] if pair.query_id.startswith("one")]


def test_too_few_queries_are_all_trained_on():
    pairs = pairs_of(5 * FEWEST_QUERIES - 1)
    assert split(pairs, 1000, 1, 8) == (pairs, [])


def slow_auc(scores, labels) -> float:
    won = [
        1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
        for i in np.flatnonzero(labels == 1)
        for j in np.flatnonzero(labels == 0)
    ]
    return sum(won) / len(won)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    labels = np.array([1, 0, 1, 0])
    assert auc(np.array([0.9, 0.1, 0.8, 0.2]), labels) == 1.0
    assert auc(np.array([0.1, 0.9, 0.2, 0.8]), labels) == 0.0
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), labels) == 0.5
    drawing = np.random.default_rng(1)
    scores = drawing.integers(0, 9, 60) / 9
    labels = drawing.integers(0, 2, 60)
    assert auc(scores, labels) == pytest.approx(slow_auc(scores, labels))


def test_the_loss_is_the_cross_entropy_and_finite():
    labels = np.array([1, 0])
    assert log_loss(np.array([0.5, 0.5]), labels) == pytest.approx(np.log(2))
    assert log_loss(np.array([0.9, 0.2]), labels) == pytest.approx(-np.log(0.9 * 0.8) / 2)
    assert np.isfinite(log_loss(np.array([0.0, 1.0], np.float32), labels))


def after(*measures: tuple[float, float]) -> Separation:
    separation = Separation()
    for measure in measures:
        separation = separation.after(*measure)
    return separation


def test_a_training_ends_when_neither_number_has_become_better_for_some_measures():
    learnt = [(0.6, 0.69), (0.9, 0.4)]
    worse = [(0.901, 0.45)] * PATIENCE
    assert after(*learnt, *worse).is_final()
    assert not after(*learnt, *worse[1:]).is_final()
    assert not after(*learnt, *worse[1:], (0.91, 0.5)).is_final()
    assert not after(*learnt, *worse[1:], (0.8, 0.39), *worse[1:]).is_final()
    assert Separation.restored(after(*learnt, *worse).state()) == after(*learnt, *worse)


def test_a_training_at_chance_goes_on():
    assert not after(*[(0.5, 0.69)] * 50).is_final()


def test_a_long_training_measures_some_twenty_times_and_in_the_end():
    pairs = HeldOut(SimpleNamespace(pairs=pairs_of(FEWEST_QUERIES)))
    ending = Ending(pairs, 20_010, "long")
    due = [step for step in range(1, 20_011) if ending.is_due(step)]
    assert due == [*range(1000, 20_001, 1000), 20_010]
    assert [step for step in range(1, 61) if Ending(pairs, 60, "short").is_due(step)] == [
        25,
        50,
        60,
    ]
    assert not Ending(None, 60, "none").is_due(60)


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    queries = [f"q{i}\t{WORDS[i * 3 % 40]} {WORDS[i % 40]}" for i in range(QUERIES)]
    write_lines(folder / "queries.tsv", queries)
    write_lines(folder / "examples.cross.tsv", ("\t".join(map(str, p)) for p in pairs_of(QUERIES)))
    return folder


@pytest.fixture
def often(monkeypatch):
    """Measures every second step, and ends at the second measure that is not far better."""
    monkeypatch.setattr(held_out, "EVERY", 2)
    monkeypatch.setattr(held_out, "PATIENCE", 2)
    monkeypatch.setattr(held_out, "LEAST_GAIN", 0.5)
    monkeypatch.setattr(held_out, "ABOVE_CHANCE", 0.0)


def train(flight, output, **changed) -> int:
    flags = {"held-out": 20, "batch-size": 8, "save-every": 3} | changed
    return main(["train-cross-encoder", *cross_flags(flight, output, **flags)])


def test_a_training_ends_early_writes_its_pairs_and_goes_on_to_the_same_bytes(
    flight, often, monkeypatch, capsys
):
    output = flight / "early"
    assert train(flight, output) == 0
    rows = log_of(output)
    assert len(rows) == 6  # the first measure is a gain, the next two are none; of 52 steps
    assert json.loads((output / "meta.json").read_text())["steps"] == 6
    assert [row["step"] for row in rows if row["held_out_AUC"]] == ["2", "4", "6"]
    last = capsys.readouterr().out.splitlines()[-1]
    measured = f"AUC {float(rows[-1]['held_out_AUC']):.4f}"
    assert last.startswith(f"{output}: step 6: held-out pairs: {measured}, loss ")
    assert last.endswith("; neither became better in 2 measures, so the training ends")
    head, *lines = (output / "held_out.tsv").read_text().splitlines()
    assert head == "query_id\tpassage_id\tlabel\tprobability" and len(lines) == 40
    scores = np.array([float(line.split("\t")[3]) for line in lines])
    labels = np.array([int(line.split("\t")[2]) for line in lines])
    assert auc(scores, labels) == pytest.approx(float(rows[-1]["held_out_AUC"]))

    measure = Ending.measure

    def interrupted(ending, step, *others):
        if step == 4:
            raise KeyboardInterrupt
        return measure(ending, step, *others)

    killed = flight / "killed"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ending, "measure", interrupted)
        train(flight, killed)
    assert [path.name for path in killed.with_name("killed.part").glob("state-*")] == ["state-3"]
    assert train(flight, killed) == 0
    assert weights(killed) == weights(output)
    assert (killed / "held_out.tsv").read_bytes() == (output / "held_out.tsv").read_bytes()
    shutil.rmtree(killed)


def test_without_held_out_queries_a_training_is_what_it_was(flight, often, capsys):
    assert train(flight, flight / "plain", **{"held-out": 0, "max-steps": 3}) == 0
    assert "held_out_AUC" not in log_of(flight / "plain")[0]
    assert not (flight / "plain/held_out.tsv").exists()
    recorded = json.loads((flight / "plain/meta.json").read_text())["job"]["flags"]
    assert "held_out" not in recorded


def test_the_last_step_ends_a_training_whose_pairs_are_not_separated(flight, capsys):
    assert train(flight, flight / "bound", **{"max-steps": 3}) == 0
    rows = log_of(flight / "bound")
    assert [bool(row["held_out_AUC"]) for row in rows] == [False, False, True]
    assert (flight / "bound/held_out.tsv").exists()
