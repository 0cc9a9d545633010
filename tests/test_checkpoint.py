"""A checkpoint gives back its model to the byte; a stopped training continues from it."""

from pathlib import Path

import numpy as np
import pytest
from checkpoint_fixture import FILES, cross_encoder, dual_encoder
from published_models import WORDS, add_pooling, write_model

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import load_model, save_model, set_weights


@pytest.fixture
def config(tiny_config):
    """One layer, with dropout."""
    return tiny_config._replace(
        num_hidden_layers=1, hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5
    )


def names(folder: Path) -> set[str]:
    """Returns the names in a folder."""
    return {path.name for path in folder.iterdir()}


def weights_of(model) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def assert_same_bytes(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("build", [dual_encoder, cross_encoder])
def test_a_saved_model_is_loaded_to_the_byte_with_its_configuration_and_tokenizer(
    tmp_path, config, build
):
    model = build(config)
    save_model(tmp_path, model, FILES)
    assert names(tmp_path) == {"model.safetensors", "config.json", *FILES}
    loaded, encoder = load_model(tmp_path, type(model))
    assert_same_bytes(weights_of(loaded), weights_of(model))
    assert loaded.config == config
    assert encoder.tokenize(["paris Paris"]) == [[4, 5]]


def test_a_loaded_model_is_ready_for_inference_without_dropout(tmp_path, config, random_rows):
    save_model(tmp_path, cross_encoder(config), FILES)
    model, _ = load_model(tmp_path, CrossEncoder)
    rows = pack(random_rows(4))
    assert model.probability(rows).tolist() == model.probability(rows).tolist()
    model.train()
    assert model.probability(rows).tolist() != model.probability(rows).tolist()


def test_a_checkpoint_of_another_kind_is_refused(tmp_path, config):
    save_model(tmp_path, dual_encoder(config), FILES)
    with pytest.raises(DataError, match="expected a cross encoder, got a dual encoder: give "):
        load_model(tmp_path, CrossEncoder)
    (tmp_path / "config.json").unlink()
    with pytest.raises(DataError, match="expected a dual encoder, got a folder without config"):
        load_model(tmp_path, DualEncoder)


@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_missing_or_damaged_weights_are_refused(tmp_path, config, content):
    save_model(tmp_path, dual_encoder(config), FILES)
    (tmp_path / "model.safetensors").unlink()
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="model.safetensors: expected complete weights") as error:
        load_model(tmp_path, DualEncoder)
    assert "\n" not in str(error.value)


def test_missing_and_unexpected_parameters_are_named(config):
    model = cross_encoder(config)
    weights = weights_of(model)
    weights["classifier.weights"] = weights.pop("classifier.weight")
    with pytest.raises(DataError) as error:
        set_weights(model, weights, "here")
    assert str(error.value) == (
        "here: expected the parameters of CrossEncoder, got missing ['classifier.weight'], "
        "unexpected ['classifier.weights']"
    )
    del weights["classifier.weights"]
    with pytest.raises(DataError, match=r"missing \['classifier.weight'\], unexpected \[\]"):
        set_weights(model, weights, "here")
    with pytest.raises(DataError, match=r"missing \[\], unexpected \['ernie.extra'\]"):
        set_weights(model, weights_of(model) | {"ernie.extra": np.zeros(2, np.float32)}, "here")


def test_a_parameter_of_another_shape_is_named_even_where_it_could_be_broadcast(config):
    model = cross_encoder(config)
    for shape in (3, 1):
        weights = weights_of(model) | {"classifier.bias": np.zeros(shape, np.float32)}
        with pytest.raises(
            DataError,
            match=rf"^here: expected classifier.bias of shape .*\[2\].*, got \[{shape}\]$",
        ):
            set_weights(model, weights, "here")


def spoil(tensor, value: float) -> None:
    """Makes one number of a tensor another one."""
    numbers = tensor.numpy()
    numbers.flat[0] = value
    tensor.set_value(numbers)


def test_a_published_encoder_is_a_dual_encoder_with_equal_towers(tmp_path, random_rows):
    folder = add_pooling(write_model(tmp_path / "model"), {"pooling_mode": "mean"})
    model, text_encoder = load_model(folder, DualEncoder)
    assert model.config.representation == "mean" and not model.training
    assert text_encoder.tokenize(["dog"]) == [[WORDS.index("dog")]]
    rows = [row._replace(type_ids=np.minimum(row.type_ids, 1)) for row in random_rows(3)]
    queries, passages = model(pack(rows), pack(rows))
    assert (queries.numpy() == passages.numpy()).all()
