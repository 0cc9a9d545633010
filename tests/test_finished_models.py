"""Finished models are read before a flight, and one of another kind is named with what to do."""

import pytest
from checkpoint_fixture import FILES, cross_encoder, dual_encoder
from published_models import with_classifier, write_model

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.weights.checkpoint import save_model
from rocketqa.weights.finished_models import class_of_name, names_of, read_finished_model
from rocketqa.weights.released_archives import MODELS

CONFIG = ErnieConfig(
    vocab_size=6,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model of each kind."""
    models = tmp_path_factory.mktemp("models")
    for name, model in (("dual", dual_encoder(CONFIG)), ("cross", cross_encoder(CONFIG))):
        (models / name).mkdir()
        save_model(models / name, model, FILES)
    write_model(models / "encoder")
    names = {"architectures": ["BertForSequenceClassification"]}
    write_model(models / "re-ranker", with_classifier(1), **names)
    return models


def refusal(source, class_name: str, fetch: bool = False) -> str:
    with pytest.raises(DataError) as error:
        read_finished_model(str(source), class_name, fetch)
    return str(error.value)


def test_checkpoints_and_models_of_others_are_taken(folder):
    for name in ("dual", "encoder"):
        read_finished_model(str(folder / name), "DualEncoder")
    for name in ("cross", "re-ranker"):
        read_finished_model(str(folder / name), "CrossEncoder")


def test_a_model_of_the_other_kind_is_named(folder):
    line = refusal(folder / "cross", "DualEncoder")
    assert line.startswith(f"{folder}/cross: expected a dual encoder, got a cross encoder: give a ")
    line = refusal(folder / "dual", "CrossEncoder")
    assert line.startswith(f"{folder}/dual: expected a cross encoder, got a dual encoder: give a ")


def test_an_encoder_without_a_classifier_is_no_finished_cross_encoder(folder):
    line = refusal(folder / "encoder", "CrossEncoder")
    assert line == (
        f"{folder}/encoder: expected a cross encoder, got an encoder as others publish it: train "
        f"it first, with `train-cross-encoder` --init {folder}/encoder"
    )


def test_a_released_name_says_its_kind_and_a_plan_fetches_nothing():
    for name in MODELS:
        assert name in names_of(class_of_name(name))
    read_finished_model("v1_marco_de", "DualEncoder", fetch=False)
    line = refusal("v1_marco_ce", "DualEncoder")
    assert line.startswith(
        "v1_marco_ce: expected a dual encoder, got a cross encoder: take one of "
    )
    assert "v1_marco_de" in line


@pytest.mark.parametrize("source", ["nowhere", "ernie-2.0-base-en"])
def test_what_is_neither_a_folder_nor_a_released_name_is_refused_with_the_names(source):
    line = refusal(source, "CrossEncoder")
    assert line.startswith(
        f"{source}: expected the folder of a cross encoder, or a released one by"
    )
    assert "v1_marco_ce" in line and line.endswith("), got nothing there")
