"""What the trainings promise beside their gradients, by the verbs themselves: memory, states,
refusals.
"""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file
from toy_files import dual_flags, train_dual, write_tiny_flight
from training_logs import WEIGHTS, column, complaint, log_of, weights

from rocketqa.cli import train_dual_encoder
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.jobs.seeds import generator
from rocketqa.training.loop import Training
from rocketqa.training.settings import CHOICES


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    return folder


@pytest.fixture(scope="module")
def plain(flight):
    train_dual(flight, flight / "plain", devices=1, batch_size=4)
    return flight / "plain"


def test_a_deterministic_training_sets_the_flags_of_paddle_and_says_so(monkeypatch, flight, plain):
    """On a CPU its losses are those of any training."""
    flags: dict[str, object] = {}
    monkeypatch.setattr(paddle, "set_flags", flags.update)
    output = flight / "deterministic"
    assert train_dual_encoder.main(dual_flags(flight, output, 4, deterministic="")) == 0
    assert flags == {"FLAGS_cudnn_deterministic": True, "FLAGS_embedding_deterministic": 1}
    np.testing.assert_allclose(column(output, "loss"), column(plain, "loss"), rtol=1e-4)
    recorded = [json.loads((path / "meta.json").read_text())["job"] for path in (plain, output)]
    assert [job["flags"].get("deterministic") for job in recorded] == [None, True]


def test_a_chunk_is_computed_in_the_precision_of_its_training(monkeypatch):
    entered = []

    @contextmanager
    def auto_cast(**named):
        entered.append(named)
        yield

    monkeypatch.setattr(paddle.amp, "auto_cast", auto_cast)
    for precision in CHOICES["precision"]:
        settings = SimpleNamespace(seed=1, precision=precision)
        with Training._chunk_context(SimpleNamespace(settings=settings), step=0, place=0):
            pass
    half = ("float16", "bfloat16")
    assert entered == [{"level": "O1", "dtype": precision} for precision in half]


def assert_recomputed_alike(flight, kept, recomputed, **settings):
    train_dual(flight, recomputed, devices=1, batch_size=4, recompute="", **settings)
    for name, tolerance in (("loss", 1e-5), ("gradient_norm", 1e-4)):
        np.testing.assert_allclose(column(recomputed, name), column(kept, name), rtol=tolerance)


def test_recomputation_has_the_same_dropout_and_the_same_gradients_but_for_rounding(flight, plain):
    assert_recomputed_alike(flight, plain, flight / "recompute")


def test_recomputation_in_chunks_has_the_same_gradients_but_for_rounding(flight):
    train_dual(flight, flight / "kept", devices=1, batch_size=4, accumulate=2)
    assert_recomputed_alike(flight, flight / "kept", flight / "chunks", accumulate=2)


def test_recomputation_runs_each_layer_a_second_time_for_the_same_gradient(
    tiny_config, random_rows
):
    config = tiny_config._replace(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)
    model = Ernie(config, with_pooler=False)
    initial = initial_weights(config, 1)
    for name, parameter in model.named_parameters():
        parameter.set_value(initial[name])
    runs, gradients = [], []
    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(lambda *_: runs.append(1))
    model.train()
    for recompute, expected in ((False, 3), (True, 6)):
        runs.clear()
        model.clear_gradients()
        paddle.seed(5)
        model.recompute = recompute
        (model(pack(random_rows(3))) * paddle.arange(16, dtype="float32")).sum().backward()
        assert len(runs) == expected
        flat = [parameter.grad.numpy().ravel() for parameter in model.parameters()]
        gradients.append(np.concatenate(flat))
    largest = np.abs(gradients[0]).max()
    np.testing.assert_allclose(gradients[1], gradients[0], atol=1e-6 * largest)


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "tf32"])
def test_a_precision_that_the_device_would_ignore_is_refused(flight, precision):
    flags = dual_flags(flight, flight / "x", 4, precision=precision)
    assert complaint("train-dual-encoder", *flags) == (
        f"--precision {precision}: expected a GPU, got a CPU, which trains in float32 alone"
    )
    assert not list(flight.glob("x*")), "a refusal leaves nothing behind"


def test_a_loss_that_is_not_finite_names_step_and_queries(tmp_path):
    """Vectors so long that their products overflow."""
    write_tiny_flight(tmp_path)
    initial = load_file(tmp_path / "init" / WEIGHTS)
    initial["encoder.layers.1.norm2.weight"] *= np.float32(1e25)
    save_file(initial, tmp_path / "init" / WEIGHTS)
    line = complaint("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "x", 4))
    batch = generator(1, "order", 0).permutation(40)[:4]
    expected = f"{tmp_path}/x: expected a finite loss at step 1, got nan on device 0 from queries "
    assert line == expected + ", ".join(f"q{i}" for i in batch)
    assert not (tmp_path / "x").exists()


def test_gradients_that_are_not_finite_end_the_run_before_they_touch_the_weights(tmp_path):
    """Gradients of some 1e19, whose squares overflow in the batch of a later step."""
    write_tiny_flight(tmp_path)
    initial = load_file(tmp_path / "init" / WEIGHTS)
    initial["encoder.layers.1.norm2.weight"] *= np.float32(6.4e9)
    save_file(initial, tmp_path / "init" / WEIGHTS)
    changed = {"learning-rate": 1e-9, "save-every": 1, "clip-norm": 1e30}
    line = complaint("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "x", 4, **changed))
    assert line.startswith(f"{tmp_path}/x: expected finite gradients at step ")
    states = list((tmp_path / "x.part").glob("state-*"))
    assert states
    for state in states:
        for value in load_file(state / WEIGHTS).values():
            assert np.isfinite(value).all()


def test_weights_that_the_last_step_makes_infinite_are_not_saved(tmp_path):
    write_tiny_flight(tmp_path)
    changed = {"weight-decay": 1e300, "max-steps": 1, "warmup": 0, "save-every": 1, "keep": 1}
    line = complaint("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "x", 4, **changed))
    assert line.startswith(
        f"{tmp_path}/x: expected finite weights to save, got nan or infinity in "
    )
    assert not list(tmp_path.rglob("x*/**/*.safetensors"))


def test_a_query_without_any_negative_is_refused(tmp_path):
    write_tiny_flight(tmp_path)
    examples = tmp_path / "examples.dual.tsv"
    rows = [line.split("\t")[:2] for line in examples.read_text().splitlines()]
    examples.write_text("".join("\t".join(row) + "\n" for row in rows))
    for flags in ({}, {"accumulate": 2, "negatives": "in-batch"}):
        line = complaint("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "x", 1, **flags))
        assert line == (
            "--batch-size: expected at least 2 candidates for each query, got its positive alone: "
            "take a larger batch, or examples with hard negatives"
        )
        assert not list(tmp_path.glob("x*")), "a refusal leaves nothing behind"
    train_dual(tmp_path, tmp_path / "two", 1, 1, accumulate=2, **{"max-steps": 1})
    train_dual(tmp_path, tmp_path / "start", 1, 1, epochs=0)


def test_states_are_kept_after_the_end_where_asked_for_and_the_best_model_by_dev(flight):
    output = flight / "kept-states"
    changed = {"save-every": 5, "keep": 2, "evaluate-every": 10, "epochs": 3}
    dev = {"dev-examples": flight / "examples.dual.tsv"}
    train_dual(flight, output, devices=1, batch_size=4, **changed, **dev)
    folders = sorted(path.name for path in output.iterdir() if path.is_dir())
    assert folders == ["best", "state-25", "state-30"]
    measured = {}
    for row in log_of(output):
        if row["dev_MRR@10"]:
            measured[row["step"]] = float(row["dev_MRR@10"])
    assert list(measured) == ["10", "20", "30"]
    best = json.loads((output / "best/best.json").read_text())
    assert best["MRR@10"] == pytest.approx(max(measured.values()))
    assert 0 < best["MRR@10"] < 1
    assert measured[str(best["step"])] == pytest.approx(best["MRR@10"])
    assert weights(output / "state-30") == weights(output)


def test_the_padding_that_is_left_out_is_what_a_padded_batch_would_have(plain):
    for share in column(plain, "padding_left_out"):
        assert 0 < share < 0.5
