"""A config.json becomes an encoder's architecture; whatever we cannot build is one line."""

import json
import math
from pathlib import Path

import pytest
from bert_fixture import SETTINGS

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.weights.config_files import (
    ADDED_LATER,
    class_of_checkpoint,
    config_of_checkpoint,
    config_of_encoder,
    read_config_file,
    write_checkpoint_config,
)


def written(folder: Path, settings: object) -> Path:
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def encoder_config(folder: Path, settings: object) -> ErnieConfig:
    return config_of_encoder(read_config_file(written(folder, settings)))


def checkpoint_config(folder: Path, settings: object) -> ErnieConfig:
    return config_of_checkpoint(read_config_file(written(folder, settings)))


def test_the_architecture_of_others_is_read_and_further_fields_are_left_alone(tmp_path):
    config = encoder_config(tmp_path, SETTINGS)
    expected = {name: value for name, value in SETTINGS.items() if name in ErnieConfig._fields}
    assert len(expected) == 12
    assert config._asdict() == expected | {
        "use_task_id": False,
        "task_type_vocab_size": 16,
        "representation": "first",
        "similarity": "dot",
        "temperature": 1.0,
    }


def test_the_epsilon_is_google_berts_where_the_source_names_none(tmp_path):
    without_epsilon = {name: value for name, value in SETTINGS.items() if "eps" not in name}
    assert encoder_config(tmp_path, without_epsilon).layer_norm_eps == 1e-12


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"hidden_size": "16"}, 'a whole number for hidden_size, got "16"'),
        ({"hidden_size": 0}, "a whole number from 1 to 2**31 - 1 for hidden_size, got 0"),
        ({"num_hidden_layers": True}, "a whole number for num_hidden_layers, got true"),
        ({"num_hidden_layers": 1 << 40}, "a whole number from 1 to 2**31 - 1 for num_hidden_"),
        ({"layer_norm_eps": 0.0}, "a number above 0 for layer_norm_eps, got 0.0"),
        ({"layer_norm_eps": None}, "a number for layer_norm_eps, got null"),
        ({"layer_norm_eps": math.inf}, "a finite number for layer_norm_eps, got Infinity"),
        ({"hidden_dropout_prob": math.nan}, "a finite number for hidden_dropout_prob, got NaN"),
        ({"hidden_dropout_prob": 1}, "a number from 0 to below 1 for hidden_dropout_prob, got 1"),
        ({"hidden_act": "__class__"}, 'gelu or relu or silu or tanh for hidden_act, got "__class'),
        ({"hidden_act": "gelu_new"}, "gelu or relu or silu or tanh for hidden_act, got "),
        ({"num_attention_heads": 3}, "a hidden_size for 3 heads of equal size, got 16"),
        ({"model_type": "roberta"}, 'bert or ernie or dpr for model_type, got "roberta"'),
        ({"model_type": ["bert"]}, "a text for model_type, got a list"),
        ({"position_embedding_type": "relative_key"}, "absolute for position_embedding_type, got"),
        ({"representation": "last"}, 'first or mean for representation, got "last"'),
        ({"use_task_id": 1}, "true or false for use_task_id, got 1"),
        ({"is_decoder": True}, "false (each token sees the tokens behind it) for is_decoder, got"),
    ],
)
def test_a_configuration_that_is_no_encoder_of_ours_is_refused(tmp_path, change, expected):
    with pytest.raises(DataError) as error:
        encoder_config(tmp_path, SETTINGS | change)
    assert str(error.value).startswith(f"{tmp_path}/config.json: expected {expected}")
    assert "\n" not in str(error.value)


def test_a_checkpoint_gives_back_every_field(tmp_path, tiny_config):
    config = tiny_config._replace(
        layer_norm_eps=3e-6,
        hidden_act="relu",
        use_task_id=True,
        representation="mean",
        similarity="cosine",
        temperature=0.02,
    )
    write_checkpoint_config(tmp_path, "DualEncoder", config)
    settings = read_config_file(tmp_path)
    assert class_of_checkpoint(settings) == "DualEncoder"
    assert config_of_checkpoint(settings) == config


def test_the_temperature_of_others_is_another_thing(tmp_path):
    config = encoder_config(tmp_path, SETTINGS | {"temperature": 0.7, "similarity": 1})
    assert (config.similarity, config.temperature) == ("dot", 1.0)


@pytest.mark.parametrize(
    "model, change, expected",
    [
        ("DualEncoder", {"similarity": "l2"}, "dot or cosine for encoder.similarity"),
        ("DualEncoder", {"temperature": 0.0}, "a number above 0 for encoder.temperature"),
        ("CrossEncoder", {"similarity": "cosine"}, "dot, as nothing but a dual encoder"),
    ],
)
def test_a_wrong_similarity_is_refused(tmp_path, tiny_config, model, change, expected):
    encoder = tiny_config._asdict() | change
    with pytest.raises(DataError, match=f"expected {expected}"):
        checkpoint_config(tmp_path, {"model": model, "encoder": encoder})


def test_a_checkpoint_from_before_a_field_was_added_still_opens(tmp_path, tiny_config):
    encoder = tiny_config._asdict()
    for name in ADDED_LATER:
        del encoder[name]
    config = checkpoint_config(tmp_path, {"model": "DualEncoder", "encoder": encoder})
    assert config == tiny_config


@pytest.mark.parametrize("name", [n for n in ErnieConfig._fields if n not in ADDED_LATER])
def test_a_checkpoint_without_a_field_is_refused_with_its_name(tmp_path, tiny_config, name):
    encoder = tiny_config._asdict()
    del encoder[name]
    with pytest.raises(
        DataError, match=rf"config.json: expected .* for encoder.{name}, got nothing"
    ):
        checkpoint_config(tmp_path, {"model": "DualEncoder", "encoder": encoder})


@pytest.mark.parametrize(
    "settings, field",
    [
        ({"further": 1}, "further"),
        ({"encoder": {"colour": 1}}, "encoder.colour"),
    ],
)
def test_a_checkpoint_with_an_unknown_field_is_refused_with_its_name(
    tmp_path, tiny_config, settings, field
):
    encoder = tiny_config._asdict() | settings.get("encoder", {})
    with pytest.raises(DataError) as error:
        checkpoint_config(tmp_path, {"model": "DualEncoder"} | settings | {"encoder": encoder})
    assert str(error.value) == (
        f'{tmp_path}/config.json: expected only fields that this version knows, got "{field}"'
    )


def test_a_folder_of_others_names_no_class(tmp_path):
    assert class_of_checkpoint(read_config_file(written(tmp_path, SETTINGS))) == ""


@pytest.mark.parametrize("head", ["", "ErnieForSequenceClassification"])
def test_the_model_config_of_older_paddlenlp_is_read(tmp_path, head):
    known = ErnieConfig._fields
    fields = {
        name: value for name, value in SETTINGS.items() if name in known and "eps" not in name
    }
    content = fields | {"init_class": "ErnieModel"}
    if head:
        content = {"init_args": [content], "init_class": head, "num_classes": 2}
    (tmp_path / "model_config.json").write_text(json.dumps(content))
    settings = read_config_file(tmp_path)
    assert settings.fields["architectures"] == [head or "ErnieModel"]
    config = config_of_encoder(settings)
    assert config == ErnieConfig(**fields, layer_norm_eps=1e-12)


def test_the_class_of_another_network_in_older_paddlenlp_is_refused(tmp_path):
    content = SETTINGS | {"init_class": "RobertaModel"}
    del content["model_type"]
    (tmp_path / "model_config.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as error:
        config_of_encoder(read_config_file(tmp_path))
    assert str(error.value) == (
        f"{tmp_path}/model_config.json: expected bert or ernie or dpr for model_type, "
        'got "RobertaModel"'
    )


def test_an_encoder_of_dpr_is_read_unless_it_projects_its_vectors(tmp_path):
    dpr = SETTINGS | {"model_type": "dpr", "projection_dim": 0}
    assert encoder_config(tmp_path, dpr) == encoder_config(tmp_path, SETTINGS)
    with pytest.raises(DataError, match="expected 0 .* for projection_dim, got 128"):
        encoder_config(tmp_path, dpr | {"projection_dim": 128})
