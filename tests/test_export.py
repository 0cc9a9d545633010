"""Exported graphs compute what their checkpoint computes, at every batch and length."""

import json
import os
from importlib.util import find_spec

import numpy as np
import paddle
import pytest
from exported_graphs import VOCABULARY, run_exported, write_checkpoint
from numpy_ernie import NumpyErnie
from safetensors.numpy import load_file, save_file

from rocketqa.cli.__main__ import main as rocketqa
from rocketqa.cli.export import main
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.inference import padded_encoder
from rocketqa.inference.export import random_batch
from rocketqa.inference.padded_encoder import INPUTS, padded_inputs

WITH_CONVERTER = pytest.mark.skipif(
    paddle.__version__.startswith("2.") or find_spec("paddle2onnx") is None,
    reason="the converter to ONNX takes Paddle 3 alone, and is not to be had for Python 3.13",
)
FORMATS = ("paddle", pytest.param("onnx", marks=WITH_CONVERTER))


@pytest.fixture
def model_folder(tmp_path):
    """Where a test writes its checkpoint."""
    return tmp_path / "model"


@pytest.fixture
def output(tmp_path):
    """Where a test lets the graphs be written."""
    return tmp_path / "out"


def export(model_folder, output, *flags: str) -> int:
    return main(["--checkpoint", str(model_folder), "--output", str(output), *flags])


@pytest.mark.parametrize("graph_format", FORMATS)
@pytest.mark.parametrize(("act", "task"), [("gelu", False), ("relu", True)])
def test_both_towers_give_the_vectors_of_a_slow_numpy_encoder(
    model_folder, output, tiny_config, random_rows, graph_format, act, task
):
    config = tiny_config._replace(hidden_act=act, use_task_id=task, layer_norm_eps=1e-3)
    write_checkpoint(model_folder, DualEncoder, config)
    assert export(model_folder, output, "--format", graph_format) == 0
    weights = load_file(model_folder / "model.safetensors")
    for count, longest in ((1, 2), (3, 9), (7, 32)):
        rows = random_rows(count, seed=count, longest=longest)
        for tower in ("query_encoder", "passage_encoder"):
            slow = NumpyErnie(config, weights, f"{tower}.")
            expected = [slow.vector(row) for row in rows]
            vectors = run_exported(graph_format, output, tower, padded_inputs(rows))
            np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("graph_format", FORMATS)
def test_a_cross_encoder_gives_the_probabilities_of_its_checkpoint(
    model_folder, output, tiny_config, random_rows, graph_format
):
    model = write_checkpoint(model_folder, CrossEncoder, tiny_config)
    rows = random_rows(9, longest=32)
    assert export(model_folder, output, "--format", graph_format) == 0
    found = run_exported(graph_format, output, "cross_encoder", padded_inputs(rows))
    expected = model.probability(pack(rows)).numpy()
    assert found.shape == (9,) and expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_a_deployment_needs_lies_beside_the_graphs(model_folder, output, tiny_config, capsys):
    write_checkpoint(model_folder, DualEncoder, tiny_config)
    assert export(model_folder, output) == 0
    description = json.loads((output / "export.json").read_text())
    assert description["model"] == "DualEncoder"
    assert description["format"] == "paddle"
    assert description["inputs"] == list(INPUTS)
    assert description["encoder"] == tiny_config.fields_to_write()
    assert description["difference"].keys() == {"query_encoder", "passage_encoder"}
    assert 0 < max(description["difference"].values()) <= 1e-5
    assert (output / "vocab.txt").read_bytes() == VOCABULARY
    manifest = json.loads((output / "meta.json").read_text())
    assert manifest["difference"] == description["difference"]
    assert manifest["lengths"] == {"query_length": 32, "passage_length": 128}
    assert f"{output}: largest difference from the checkpoint: query_encoder " in (
        capsys.readouterr().err
    )


def test_a_finished_export_is_not_made_again(model_folder, output, tiny_config, capsys):
    write_checkpoint(model_folder, DualEncoder, tiny_config)
    assert export(model_folder, output, "--check") == 3
    assert export(model_folder, output) == 0
    assert export(model_folder, output, "--check") == 0
    manifest = json.loads((output / "meta.json").read_text())
    assert manifest["job"]["verb"] == "export"
    assert manifest["job"]["flags"] == {"format": "paddle"}
    assert manifest["job"]["inputs"].keys() == {"checkpoint"}
    capsys.readouterr()
    assert export(model_folder, output) == 0
    assert capsys.readouterr().err == f"{output}: up to date\n"


@WITH_CONVERTER
def test_the_converter_does_not_install_packages_and_leaves_nothing_else(
    model_folder, output, tiny_config, monkeypatch
):
    monkeypatch.delenv("POLYGRAPHY_AUTOINSTALL_DEPS", raising=False)
    write_checkpoint(model_folder, CrossEncoder, tiny_config)
    assert export(model_folder, output, "--format", "onnx") == 0
    assert "POLYGRAPHY_AUTOINSTALL_DEPS" not in os.environ
    assert {path.name for path in output.iterdir()} == {
        "cross_encoder.onnx",
        "export.json",
        "meta.json",
        "vocab.txt",
    }


def test_graph_and_checkpoint_are_compared_on_the_longest_row_and_on_random_lengths(tiny_config):
    rows = random_batch(np.random.default_rng(0), 200, tiny_config)
    lengths = [len(row.token_ids) for row in rows]
    assert len(rows) == 200 and lengths[0] == tiny_config.max_position_embeddings == 32
    assert set(lengths) == set(range(2, 33))
    for row in rows:
        assert row.type_ids[0] == 0 and (np.diff(row.type_ids) >= 0).all()
        assert row.token_ids.max() < tiny_config.vocab_size


def test_a_graph_that_differs_from_its_checkpoint_is_refused(
    model_folder, output, tiny_config, monkeypatch, capsys
):
    write_checkpoint(model_folder, CrossEncoder, tiny_config)
    monkeypatch.setattr(padded_encoder, "MASKED_SCORE", -1.0)
    arguments = ["export", "--checkpoint", str(model_folder), "--output", str(output)]
    assert rocketqa(arguments) == 2
    message = "expected at most 1e-05 between the graph and its checkpoint, got 0."
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_what_is_no_checkpoint_is_refused(tmp_path, output, tiny_config, capsys):
    (tmp_path / "config.json").write_text(json.dumps(tiny_config.fields_to_write()))
    save_file(initial_weights(tiny_config, 1), tmp_path / "model.safetensors")
    assert rocketqa(["export", "--checkpoint", str(tmp_path), "--output", str(output)]) == 2
    assert (
        f"{tmp_path}: expected a dual encoder or a cross encoder, got an encoder as others publish"
        in capsys.readouterr().err
    )
    assert not output.exists() and not output.with_name("out.part").exists()
