"""Weights are compared with their configuration before a model is built."""

import json
import time

import numpy as np
import pytest
from checkpoint_fixture import FILES, cross_encoder, dual_encoder
from safetensors.numpy import load_file, save_file

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import load_model, save_model
from rocketqa.weights.model_shapes import refuse_other_parameters
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.released_models import read_checkpoint

BUILDERS = {"DualEncoder": dual_encoder, "CrossEncoder": cross_encoder}


@pytest.fixture(params=BUILDERS)
def checkpoint(request, tmp_path, tiny_config):
    """A checkpoint of each class without a manifest."""
    save_model(tmp_path, BUILDERS[request.param](tiny_config), FILES)
    (tmp_path / "class").write_text(request.param)
    return tmp_path


def refusals(checkpoint) -> list[str]:
    """Returns what each way to open a checkpoint says."""
    model_class = (checkpoint / "class").read_text()
    lines = []
    for load in (
        lambda: load_model(checkpoint, {"DualEncoder": DualEncoder}.get(model_class, CrossEncoder)),
        lambda: load_pretrained(checkpoint, model_class),
        lambda: read_checkpoint(checkpoint),
    ):
        began = time.monotonic()
        with pytest.raises(DataError) as error:
            load()
        assert time.monotonic() - began < 5
        lines.append(str(error.value))
        assert "\n" not in lines[-1] and str(checkpoint) in lines[-1]
    return lines


@pytest.mark.parametrize(
    "field, value, complaint",
    [
        ("num_hidden_layers", 10**9, "expected num_hidden_layers 1000000000 to fit the weights"),
        ("num_hidden_layers", 2, "expected the parameters of "),
        ("num_hidden_layers", 4, "expected the parameters of "),
        ("hidden_size", 2**30, "word_embeddings.weight of shape"),
        ("vocab_size", 2**31 - 1, "word_embeddings.weight of shape"),
        ("intermediate_size", 2**31 - 1, "linear1.weight of shape"),
        ("max_position_embeddings", 2**31 - 1, "position_embeddings.weight of shape"),
        ("num_attention_heads", 0, "num_attention_heads, got 0"),
        ("num_attention_heads", 3, "a hidden_size for 3 heads of equal size, got 16"),
        ("hidden_act", "system", "for encoder.hidden_act, got"),
        ("layer_norm_eps", 0, "for encoder.layer_norm_eps, got 0"),
        ("representation", "last", "for encoder.representation, got"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_at_once(checkpoint, field, value, complaint):
    path = checkpoint / "config.json"
    settings = json.loads(path.read_text())
    settings["encoder"][field] = value
    path.write_text(json.dumps(settings))
    for line in refusals(checkpoint):
        assert complaint in line


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"half", b"\xff" * 9, b"[" * 100_000])
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_files_that_are_none_are_refused(checkpoint, file, content):
    (checkpoint / file).write_bytes(content)
    for line in refusals(checkpoint):
        assert file in line


def test_halved_weights_are_refused(checkpoint):
    content = (checkpoint / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").write_bytes(content[: len(content) // 2])
    for line in refusals(checkpoint):
        assert "expected complete weights" in line


@pytest.mark.parametrize(
    "change", [lambda x: x * np.nan, lambda x: x.astype(np.int64), lambda x: x.reshape(-1)]
)
def test_weights_of_another_kind_are_refused(checkpoint, change):
    weights = load_file(checkpoint / "model.safetensors")
    name = next(name for name in weights if name.endswith("linear1.weight"))
    weights[name] = change(weights[name])
    save_file(weights, checkpoint / "model.safetensors")
    for line in refusals(checkpoint):
        assert name in line


def test_a_longer_vocabulary_is_refused(checkpoint):
    words = "".join(f"w{number}\n" for number in range(100))
    with (checkpoint / "vocab.txt").open("a") as file:
        file.write(words)
    for line in refusals(checkpoint):
        assert "expected a vocab.txt of at most vocab_size 60 words, got 106" in line


def test_of_another_class_only_the_layers_are_counted(tiny_config):
    weights = {"a": np.ones(1, np.float32)}
    one_layer = tiny_config._replace(num_hidden_layers=1)
    refuse_other_parameters(weights, "JointCrossEncoder", one_layer, "here")
    with pytest.raises(DataError, match="here: expected num_hidden_layers 3 to fit"):
        refuse_other_parameters(weights, "JointCrossEncoder", tiny_config, "here")
