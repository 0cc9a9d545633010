"""Graphs for deployment: as far from the checkpoint as float32 is from itself, at every batch and length."""

import json
import math
import os

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

from rocketqa.cli.export import main
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.ernie import initial_weights
from rocketqa.inference.engine import INPUTS, padded
from rocketqa.text.tokenizer import Encoding
from rocketqa.weights.checkpoint import save_model, set_weights

VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n"
ON_PADDLE_3 = pytest.mark.skipif(
    paddle.__version__.startswith("2."), reason="the converter takes Paddle 3 alone"
)
FORMATS = ("paddle", pytest.param("onnx", marks=ON_PADDLE_3))


def checkpoint(folder, kind, config):
    """Writes a checkpoint with weights that are nowhere 0, the towers unlike each other."""
    drawing = np.random.default_rng(6)
    model = kind(config)
    set_weights(
        model,
        {
            name: (
                drawing.normal(0, 0.3, value.shape) + (".norm" in name or "layer_norm" in name)
            ).astype(np.float32)
            for name, value in model.state_dict().items()
        },
        "test",
    )
    folder.mkdir()
    save_model(folder, model, {"vocab.txt": VOCABULARY})
    model.eval()
    return model


def run_paddle(folder, name, inputs):
    from paddle import inference

    structure = next(
        path for path in folder.glob(f"{name}.*") if path.suffix in (".json", ".pdmodel")
    )
    predictor = inference.create_predictor(
        inference.Config(str(structure), str(folder / f"{name}.pdiparams"))
    )
    for each in INPUTS:
        predictor.get_input_handle(each).copy_from_cpu(inputs[each])
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def run_onnx(folder, name, inputs):
    import onnxruntime

    return onnxruntime.InferenceSession(str(folder / f"{name}.onnx")).run(None, inputs)[0]


def slow_vector(weights, prefix, config, row) -> np.ndarray:
    """Returns the first token's vector of one row, in float64, by the paper's formulas."""
    weights = {
        name.removeprefix(prefix): value.astype(np.float64) for name, value in weights.items()
    }

    def dense(vectors, name):
        return vectors @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def norm(vectors, name):
        centred = vectors - vectors.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + config.layer_norm_eps)
        return centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def table(name, ids):
        return weights[f"embeddings.{name}_embeddings.weight"][ids]

    hidden = (
        table("word", row.token_ids)
        + table("position", range(len(row.token_ids)))
        + table("token_type", row.type_ids)
    )
    hidden = norm(
        hidden + (table("task_type", 0) if config.use_task_id else 0), "embeddings.layer_norm"
    )
    size = config.hidden_size // config.num_attention_heads
    activation = {
        "gelu": np.vectorize(lambda value: value * (1 + math.erf(value / 2**0.5)) / 2),
        "relu": lambda values: np.maximum(values, 0),
    }[config.hidden_act]
    for layer in (f"encoder.layers.{n}." for n in range(config.num_hidden_layers)):
        q, k, v = (dense(hidden, f"{layer}self_attn.{name}_proj") for name in "qkv")
        contexts = []
        for part in (slice(begin, begin + size) for begin in range(0, config.hidden_size, size)):
            attention = np.exp(q[:, part] @ k[:, part].T / size**0.5)
            contexts.append(attention / attention.sum(1, keepdims=True) @ v[:, part])
        hidden = norm(
            hidden + dense(np.hstack(contexts), f"{layer}self_attn.out_proj"), f"{layer}norm1"
        )
        hidden = norm(
            hidden + dense(activation(dense(hidden, f"{layer}linear1")), f"{layer}linear2"),
            f"{layer}norm2",
        )
    return hidden[0]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("act", "task"), [("gelu", False), ("relu", True)])
def test_both_towers_give_the_vectors_of_a_slow_numpy_encoder(
    tmp_path, tiny_config, random_rows, form, act, task
):
    config = tiny_config._replace(hidden_act=act, use_task_id=task, layer_norm_eps=1e-3)
    checkpoint(tmp_path / "model", DualEncoder, config)
    assert (
        main(
            [
                "--checkpoint",
                str(tmp_path / "model"),
                "--output",
                str(tmp_path / "out"),
                "--format",
                form,
            ]
        )
        == 0
    )
    weights = load_file(tmp_path / "model" / "model.safetensors")
    for count, longest in ((1, 2), (3, 9), (7, 32)):
        rows = random_rows(count, seed=count, longest=longest)
        for name in ("query_encoder", "passage_encoder"):
            own = {key: value for key, value in weights.items() if key.startswith(f"{name}.")}
            expected = [slow_vector(own, f"{name}.", config, row) for row in rows]
            found = {"paddle": run_paddle, "onnx": run_onnx}[form](
                tmp_path / "out", name, padded(rows)
            )
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_a_cross_encoder_gives_the_probabilities_of_its_checkpoint(
    tmp_path, tiny_config, random_rows, form
):
    from rocketqa.encoder.packing import pack

    model, rows = (
        checkpoint(tmp_path / "model", CrossEncoder, tiny_config),
        random_rows(9, longest=32),
    )
    assert (
        main(
            [
                "--checkpoint",
                str(tmp_path / "model"),
                "--output",
                str(tmp_path / "out"),
                "--format",
                form,
            ]
        )
        == 0
    )
    found = {"paddle": run_paddle, "onnx": run_onnx}[form](
        tmp_path / "out", "cross_encoder", padded(rows)
    )
    expected = model.probability(pack(rows)).numpy()
    assert found.shape == (9,) and expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_a_deployment_needs_lies_beside_the_graphs(tmp_path, tiny_config):
    checkpoint(tmp_path / "model", DualEncoder, tiny_config)
    arguments = ["--checkpoint", str(tmp_path / "model"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (told["model"], told["format"], told["inputs"]) == (
        "DualEncoder",
        "paddle",
        list(INPUTS),
    )
    assert told["encoder"] == tiny_config._asdict()
    assert told["difference"].keys() == {"query_encoder", "passage_encoder"}
    assert 0 < max(told["difference"].values()) <= 1e-5
    assert (tmp_path / "out" / "vocab.txt").read_bytes() == VOCABULARY
    assert (
        json.loads((tmp_path / "out" / "meta.json").read_text())["difference"] == told["difference"]
    )
    assert main([*arguments, "--check"]) == 0


@ON_PADDLE_3
def test_the_converter_is_not_told_to_install_packages_and_leaves_nothing_else(
    tmp_path, tiny_config, monkeypatch
):
    monkeypatch.delenv("POLYGRAPHY_AUTOINSTALL_DEPS", raising=False)
    checkpoint(tmp_path / "model", CrossEncoder, tiny_config)
    assert (
        main(
            [
                "--checkpoint",
                str(tmp_path / "model"),
                "--output",
                str(tmp_path / "out"),
                "--format",
                "onnx",
            ]
        )
        == 0
    )
    assert "POLYGRAPHY_AUTOINSTALL_DEPS" not in os.environ
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "cross_encoder.onnx",
        "export.json",
        "meta.json",
        "vocab.txt",
    }


def test_padding_is_zeros_under_a_mask():
    rows = [
        Encoding(np.array([2, 5, 3]), np.array([0, 0, 1])),
        Encoding(np.array([2]), np.array([0])),
    ]
    assert {name: values.tolist() for name, values in padded(rows).items()} == {
        "token_ids": [[2, 5, 3], [2, 0, 0]],
        "type_ids": [[0, 0, 1], [0, 0, 0]],
        "mask": [[1, 1, 1], [1, 0, 0]],
    }


def test_a_graph_that_differs_from_its_checkpoint_is_refused(
    tmp_path, tiny_config, monkeypatch, capsys
):
    from rocketqa.cli.__main__ import main as rocketqa
    from rocketqa.inference import engine as inference

    checkpoint(tmp_path / "model", CrossEncoder, tiny_config)
    monkeypatch.setattr(inference, "MASKED", -1.0)
    assert (
        rocketqa(
            ["export", "--checkpoint", str(tmp_path / "model"), "--output", str(tmp_path / "out")]
        )
        == 2
    )
    assert (
        "expected at most 1e-05 between the graph and its checkpoint, got 0."
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_what_is_no_checkpoint_is_refused(tmp_path, tiny_config, capsys):
    from rocketqa.cli.__main__ import main as rocketqa

    (tmp_path / "config.json").write_text(json.dumps(tiny_config._asdict()))
    save_file(initial_weights(tiny_config, 1), tmp_path / "model.safetensors")
    assert (
        rocketqa(["export", "--checkpoint", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    )
    assert "expected a DualEncoder, got another model" in capsys.readouterr().err
