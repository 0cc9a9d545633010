"""What the trainings promise beside their gradients, by the verbs themselves: precision, memory, log, checkpoints."""

import json
import subprocess

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file
from toy_files import (
    ENVIRONMENT,
    cross_flags,
    dual_flags,
    train_cross,
    train_dual,
    verb,
    write_tiny_flight,
)

from rocketqa.encoder.ernie import Ernie, initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.jobs.seeds import generator


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    return folder


def log_of(output) -> list[dict[str, str]]:
    header, *lines = (output / "train_log.tsv").read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"))) for line in lines]


def complaint(*command: str) -> str:
    """Runs a verb that must refuse, and returns its one line."""
    done = subprocess.run(
        verb(*command), env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    lines = [
        line for line in done.stderr.splitlines() if line.startswith(f"rocketqa {command[0]}: ")
    ]
    assert done.returncode == 2 and len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    return lines[0].removeprefix(f"rocketqa {command[0]}: ")


@pytest.fixture(scope="module")
def plain(flight):
    train_dual(flight, flight / "plain", devices=1, batch_size=4)
    return flight / "plain"


def weights(output) -> bytes:
    return (output / "model.safetensors").read_bytes()


def test_recomputation_has_the_same_dropout_and_the_same_gradients_but_for_rounding(flight, plain):
    for name, expected, extra in (
        ("recompute", plain, {}),
        ("chunks", flight / "kept", {"accumulate": 2}),
    ):
        if extra:
            train_dual(flight, expected, devices=1, batch_size=4, **extra)
        train_dual(flight, flight / name, devices=1, batch_size=4, recompute="", **extra)
        for column, tolerance in (("loss", 1e-5), ("gradient_norm", 1e-4)):
            found, wanted = (
                [float(row[column]) for row in log_of(output)]
                for output in (flight / name, expected)
            )
            np.testing.assert_allclose(found, wanted, rtol=tolerance)


def test_recomputation_runs_each_layer_a_second_time_for_the_same_gradient(
    tiny_config, random_rows
):
    config = tiny_config._replace(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3)
    model, found, runs = Ernie(config, with_pooler=False), [], []
    for name, parameter in model.named_parameters():
        parameter.set_value(initial_weights(config, 1)[name])
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
        found.append(
            np.concatenate([parameter.grad.numpy().ravel() for parameter in model.parameters()])
        )
    np.testing.assert_allclose(found[1], found[0], atol=1e-6 * np.abs(found[0]).max())


def test_a_loss_scale_of_a_power_of_two_changes_no_byte(flight, plain):
    train_dual(flight, flight / "scaled", devices=1, batch_size=4, **{"loss-scale": 1024})
    assert weights(flight / "scaled") == weights(plain)
    assert {row["loss_scale"] for row in log_of(flight / "scaled")} == {"1024"}


@pytest.mark.parametrize("devices", [1, 2])
def test_steps_that_overflow_are_left_out_by_all_devices_and_make_the_scale_smaller(
    flight, devices
):
    output = flight / f"overflow-{devices}"
    train_dual(
        flight,
        output,
        devices=devices,
        batch_size=4 // devices,
        epochs=10,
        **{"loss-scale": 2.0**61},
    )
    log = log_of(output)
    norms = np.array([float(row["gradient_norm"]) for row in log])
    assert not np.isfinite(norms[0])
    scales = np.array([float(row["loss_scale"]) for row in log])
    assert scales[0] == pytest.approx(2.0**61) and scales[1] == pytest.approx(0.8 * 2.0**61)
    assert not np.isfinite(norms[:2]).any() and np.isfinite(norms[-1])
    assert all(
        np.isfinite(value).all() for value in load_file(output / "model.safetensors").values()
    )


def test_one_device_s_overflow_is_every_device_s(flight):
    """Only the first device's gradients overflow; the weights stay, on all."""
    from test_cross_batch_negatives import launch

    script = flight / "overflow.py"
    script.write_text("""
import sys
import numpy as np
import rocketqa
import paddle
from rocketqa import devices
from rocketqa.training.optimizer import LossScale, clip
devices.join()
model, scale = paddle.nn.Linear(2, 2), LossScale(8.0, dynamic=True)
for step in range(4):
    (model(paddle.ones([1, 2])).sum() * scale.scale).backward()
    if devices.rank() == 0 and step < 2:
        model.bias.grad.set_value(np.array([np.inf, 0], np.float32))
    devices.average_gradients(model)
    norm = clip(model, 1e9, scale.scale)
    scale.update(bool(np.isfinite(norm)))
    print(step, np.isfinite(norm), scale.scale, file=open(f"{sys.argv[1]}/scale-{devices.rank()}", "a"))
    model.clear_gradients()
""")
    launch(script, flight, 2)
    expected = "0 False 8.0\n1 False 6.4\n2 True 6.4\n3 True 6.4\n"
    assert [(flight / f"scale-{rank}").read_text() for rank in (0, 1)] == [expected, expected]


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_precision_that_the_device_would_ignore_is_refused(flight, precision):
    assert complaint(
        "train-dual-encoder", *dual_flags(flight, flight / "x", 4, precision=precision)
    ) == (
        f"--precision {precision}: expected a GPU, got a CPU, where Paddle's autocast does nothing"
    )


def test_a_loss_that_is_not_finite_names_step_and_queries(tmp_path):
    """Vectors so long that their products overflow."""
    write_tiny_flight(tmp_path)
    initial = load_file(tmp_path / "init/model.safetensors")
    initial["encoder.layers.1.norm2.weight"] *= np.float32(1e25)
    save_file(initial, tmp_path / "init/model.safetensors")
    line = complaint("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "x", 4))
    batch = generator(1, "order", 0).permutation(40)[:4]
    expected = f"{tmp_path}/x: expected a finite loss at step 1, got nan on device 0 from queries "
    assert line == expected + ", ".join(f"q{i}" for i in batch) and not (tmp_path / "x").exists()


def test_gradients_that_are_not_finite_end_the_run_before_they_touch_the_weights(tmp_path):
    write_tiny_flight(tmp_path)
    line = complaint(
        "train-dual-encoder",
        *dual_flags(
            tmp_path,
            tmp_path / "x",
            4,
            **{"learning-rate": 1e25, "save-every": 1, "clip-norm": 1e30},
        ),
    )
    assert (
        line.startswith(f"{tmp_path}/x: expected finite gradients at step ")
        or ": expected a finite loss at" in line
    )
    (state,) = (tmp_path / "x.part").glob("state-*")
    assert all(
        np.isfinite(value).all() for value in load_file(state / "model.safetensors").values()
    )


def test_states_are_kept_after_the_end_where_asked_for_and_the_best_model_by_dev(flight):
    output = flight / "kept-states"
    train_dual(
        flight,
        output,
        devices=1,
        batch_size=4,
        epochs=3,
        **{
            "save-every": 5,
            "keep": 2,
            "evaluate-every": 10,
            "dev-examples": flight / "examples.dual.tsv",
        },
    )
    assert sorted(path.name for path in output.iterdir() if path.is_dir()) == [
        "best",
        "state-25",
        "state-30",
    ]
    measured = {
        row["step"]: float(row["dev_MRR@10"]) for row in log_of(output) if row["dev_MRR@10"]
    }
    assert list(measured) == ["10", "20", "30"]
    best = json.loads((output / "best/best.json").read_text())
    assert best["MRR@10"] == pytest.approx(max(measured.values())) and 0 < best["MRR@10"] < 1
    assert measured[str(best["step"])] == pytest.approx(best["MRR@10"])
    assert (output / "state-30/model.safetensors").read_bytes() == weights(output)


def test_the_dev_measure_is_that_of_the_verbs(flight):
    """The same MRR@10 as encoding, retrieving and evaluating over the passages of the dev examples."""
    train_dual(
        flight,
        flight / "measured",
        devices=1,
        batch_size=4,
        **{"evaluate-every": 20, "dev-examples": flight / "examples.dual.tsv"},
    )
    for source in ("collection", "queries"):
        run_verb(
            "encode",
            "--checkpoint",
            flight / "measured",
            f"--{source}",
            flight / f"{source}.tsv",
            "--output",
            flight / f"{source}.vectors",
        )
    run_verb(
        "retrieve",
        "--query-vectors",
        flight / "queries.vectors",
        "--passage-vectors",
        flight / "collection.vectors",
        "--depth",
        40,
        "--output",
        flight / "dev.run",
    )
    value = run_verb("evaluate", "--run", flight / "dev.run", "--qrels", flight / "qrels.tsv")
    expected = next(
        float(line.split("\t")[1]) for line in value.splitlines() if line.startswith("MRR@10\t")
    )
    assert float(log_of(flight / "measured")[-1]["dev_MRR@10"]) == pytest.approx(expected, abs=1e-6)


def run_verb(*command: object) -> str:
    done = subprocess.run(
        verb(*command), env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cross_encoder_trains_with_fgm_chunks_and_a_dev_measure(flight):
    output = flight / "cross"
    train_cross(
        flight,
        output,
        fgm=0.01,
        accumulate=2,
        **{
            "evaluate-every": 5,
            "dev-examples": flight / "examples.cross.tsv",
            "batch-size": 4,
            "epochs": 2,
        },
    )
    log = log_of(output)
    assert len(log) == 10 and [row["step"] for row in log if row["dev_MRR@10"]] == ["5", "10"]
    assert all(np.isfinite(float(row["gradient_norm"])) for row in log)
    train_cross(flight, flight / "cross-clean", accumulate=2, **{"batch-size": 4, "epochs": 2})
    assert weights(flight / "cross-clean") != weights(output)


def test_measuring_on_dev_wants_examples_and_examples_want_measuring(flight):
    assert complaint(
        "train-cross-encoder", *cross_flags(flight, flight / "x", **{"evaluate-every": 5})
    ) == ("--evaluate-every: expected it together with --dev-examples, got one alone")


def test_masked_positives_train_to_other_weights(flight, plain):
    train_dual(
        flight,
        flight / "masked",
        devices=1,
        batch_size=4,
        **{"mask-positives": flight / "qrels.tsv"},
    )
    # The examples' negatives are other queries' positives, but never known positives: nothing to mask but copies.
    more = flight / "more.tsv"
    more.write_text("".join(f"q{i}\t0\tp{(i + 11) % 40}\t1\n" for i in range(40)))
    train_dual(flight, flight / "masked-more", devices=1, batch_size=4, **{"mask-positives": more})
    losses = [float(log_of(output)[0]["loss"]) for output in (flight / "masked-more", plain)]
    assert losses[0] < losses[1] - 0.05


def test_the_padding_that_is_left_out_is_what_a_padded_batch_would_have(flight, plain):
    shares = [float(row["padding_left_out"]) for row in log_of(plain)]
    assert all(0 < share < 0.5 for share in shares)
