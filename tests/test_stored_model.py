"""What a model is built of is read from its file, an array at a time, and computes as the model."""

import numpy as np
import pytest
from checkpoint_fixture import FILES, cross_encoder, dual_encoder
from paddle import nn
from tiny_encoders import rows_of_lengths

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import TOWERS, DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.inference.engine import Engine
from rocketqa.inference.kernel_encoder import is_supported
from rocketqa.weights.checkpoint import WEIGHTS, built, load_model, read_model, save_model
from rocketqa.weights.stored_model import StoredModel, WeightsFile


@pytest.fixture
def folder(tmp_path, tiny_config):
    """A dual encoder with different towers, and a cross encoder."""
    dual = dual_encoder(tiny_config)
    dual.passage_encoder.set_state_dict(dual_encoder(tiny_config, 2).passage_encoder.state_dict())
    for name, model in (("dual", dual), ("cross", cross_encoder(tiny_config))):
        (tmp_path / name).mkdir()
        save_model(tmp_path / name, model, FILES)
    return tmp_path


@pytest.mark.parametrize("tower", TOWERS)
def test_a_tower_computes_as_that_of_the_model(folder, tower):
    model, _ = load_model(folder / "dual", DualEncoder)
    layer = getattr(model, tower)
    stored = read_model(folder / "dual", DualEncoder)[0].tower(tower)
    for name, parameter in layer.state_dict().items():
        np.testing.assert_array_equal(stored.at(name), parameter.numpy())
    rows = rows_of_lengths(5, 9, 2)
    expected = Engine(layer)(rows).tobytes()
    assert Engine(stored)(rows).tobytes() == Engine(built(stored))(rows).tobytes() == expected
    [other] = {*TOWERS} - {tower}
    assert Engine(getattr(model, other))(rows).tobytes() != expected


def test_a_cross_encoder_computes_as_the_model(folder):
    model, _ = load_model(folder / "cross", CrossEncoder)
    stored, _ = read_model(folder / "cross", CrossEncoder)
    rows = rows_of_lengths(5, 9, 2)
    assert Engine(stored)(rows).tobytes() == Engine(model)(rows).tobytes()


@pytest.mark.skipif(not is_supported(), reason="needs a C compiler and AVX2")
def test_the_kernels_compute_without_a_layer_of_paddle(folder, monkeypatch):
    def refuse(*_arguments, **_named):
        raise AssertionError("a layer was built")

    monkeypatch.setattr(nn.Layer, "__init__", refuse)
    for name, model_class in (("dual", DualEncoder), ("cross", CrossEncoder)):
        stored, _ = read_model(folder / name, model_class)
        if model_class is DualEncoder:
            stored = stored.tower("query_encoder")
        assert np.isfinite(Engine(stored)(rows_of_lengths(3, 4))).all()
    with pytest.raises(AssertionError, match="a layer was built"):
        load_model(folder / "dual", DualEncoder)


def test_a_file_of_weights_reads_what_is_asked_for(folder):
    weights = WeightsFile(folder / "dual" / WEIGHTS)
    model, _ = load_model(folder / "dual", DualEncoder)
    assert {*weights} == {*model.state_dict()} and len(weights) == len(model.state_dict())
    assert "classifier.weight" not in weights
    with pytest.raises(KeyError):
        weights["classifier.weight"]


def test_a_file_that_is_damaged_or_gone_is_refused_in_one_line(folder):
    path = folder / "cross" / WEIGHTS
    weights = WeightsFile(path)
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    for read in (lambda: WeightsFile(path), lambda: weights["classifier.bias"]):
        with pytest.raises(DataError, match=f"^{path}: expected complete weights, got ") as refused:
            read()
        assert "\n" not in str(refused.value)
    path.unlink()
    with pytest.raises(DataError, match="expected complete weights, got "):
        weights["classifier.bias"]


def test_a_copy_of_a_model_keeps_its_weights(tiny_config):
    model = cross_encoder(tiny_config)
    stored = StoredModel.of(model)
    before = stored.at("classifier.weight").copy()
    model.classifier.weight.set_value(before + 1)
    np.testing.assert_array_equal(stored.at("classifier.weight"), before)
