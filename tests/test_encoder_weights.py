"""The parameters of BERT and ERNIE become ours: all of them, in our names and orientation."""

import numpy as np
import pytest
from bert_fixture import SETTINGS, bert_weights, with_prefix, write_folder

from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.ernie import Ernie
from rocketqa.files.errors import DataError
from rocketqa.weights.encoder_weights import from_bert_names, parameter_shapes
from rocketqa.weights.pretrained import load_pretrained


def test_the_parameters_of_an_encoder_are_those_of_the_model(tiny_config):
    for config in (tiny_config, tiny_config._replace(use_task_id=True, num_hidden_layers=1)):
        assert parameter_shapes(config) == {
            name: tuple(value.shape) for name, value in Ernie(config, True).state_dict().items()
        }


def test_a_dense_weight_is_turned_and_an_embedding_is_not():
    dense, table = np.arange(6.0).reshape(2, 3), np.arange(4.0).reshape(2, 2)
    found = from_bert_names(
        {
            "encoder.layer.7.attention.self.query.weight": dense,
            "embeddings.word_embeddings.weight": table,
        }
    )
    assert (found["encoder.layers.7.self_attn.q_proj.weight"] == dense.T).all()
    assert (found["embeddings.word_embeddings.weight"] == table).all()


def test_missing_and_unexpected_parameters_stop_the_load_with_their_names(tmp_path):
    weights = bert_weights() | {"extra.weight": np.zeros(2, np.float32)}
    del weights["encoder.layer.1.intermediate.dense.bias"]
    with pytest.raises(DataError) as error:
        load_pretrained(write_folder(tmp_path, weights))
    assert str(error.value) == (
        f"{tmp_path}: expected the parameters of the encoder in config.json, got missing "
        "['encoder.layers.1.linear1.bias'], unexpected ['extra.weight']"
    )


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((16, 17), np.float32),
        np.zeros((16, 16), np.int64),
        np.full((16, 16), np.nan, np.float32),
        np.full((16, 16), 1e300),
    ],
)
def test_a_parameter_of_another_shape_or_type_or_that_is_not_finite_is_refused(tmp_path, value):
    name = "encoder.layer.0.attention.self.query.weight"
    with pytest.raises(
        DataError, match="finite floats of shape .16, 16. for encoder.layers.0.self_attn.q_proj"
    ):
        load_pretrained(write_folder(tmp_path, bert_weights() | {name: value}))


def test_a_parameter_with_two_names_is_refused(tmp_path):
    weights = bert_weights()
    weights["bert.pooler.dense.bias"] = weights["pooler.dense.bias"] + 1
    with pytest.raises(DataError, match="expected each parameter of 2 layers once"):
        load_pretrained(write_folder(tmp_path, weights))


@pytest.mark.parametrize(
    "prefix",
    [
        "ptm.",
        "module.",
        "module.bert.",
        "_orig_mod.bert.",
        "encoder.",
        "model.encoder.",
        "0.auto_model.",
        "question_model.",
        "ctx_model.",
        "ctx_encoder.bert_model.",
    ],
)
@pytest.mark.parametrize("kind", ["", "DualEncoder", "CrossEncoder"])
def test_known_prefixes_are_taken_off(tmp_path, prefix, kind):
    expected = load_pretrained(write_folder(tmp_path, bert_weights())).weights
    found = load_pretrained(write_folder(tmp_path, with_prefix(bert_weights(), prefix)), kind)
    assert found.weights.keys() == expected.keys()
    assert all((found.weights[name] == value).all() for name, value in expected.items())


@pytest.mark.parametrize("head", ["cls.predictions.bias", "qa_outputs.weight"])
def test_the_head_of_another_task_is_left_out(tmp_path, head):
    expected = load_pretrained(write_folder(tmp_path, bert_weights())).weights
    weights = bert_weights() | {head: np.ones(2, np.float32)}
    assert load_pretrained(write_folder(tmp_path, weights)).weights.keys() == expected.keys()


def test_an_unknown_prefix_is_refused_with_its_name(tmp_path):
    with pytest.raises(DataError, match="unexpected .'tower.embeddings.LayerNorm.bias'"):
        load_pretrained(write_folder(tmp_path, with_prefix(bert_weights(), "tower.")))


def test_both_sides_of_dpr_become_both_towers(tmp_path):
    passages = {name: value + 1 for name, value in bert_weights().items()}
    both = with_prefix(bert_weights(), "question_model.") | with_prefix(passages, "ctx_model.")
    folder = write_folder(tmp_path, both)
    start = load_pretrained(folder, "DualEncoder")
    weights = DualEncoder.from_encoder_weights(start.weights)
    assert weights.keys() == DualEncoder(start.config).state_dict().keys()
    name = "embeddings.word_embeddings.weight"
    assert (weights[f"query_encoder.{name}"] == bert_weights()[name]).all()
    assert (weights[f"passage_encoder.{name}"] == passages[name]).all()
    with pytest.raises(DataError, match="expected each parameter of 2 layers once"):
        load_pretrained(folder, "CrossEncoder")


def test_layers_beyond_the_configuration_are_left_out_and_said(tmp_path, capsys):
    folder = write_folder(tmp_path, bert_weights(), SETTINGS | {"num_hidden_layers": 1})
    weights = load_pretrained(folder).weights
    assert not [name for name in weights if name.startswith("encoder.layers.1.")]
    assert capsys.readouterr().err == (
        f"{folder}: the weights have 2 layers, num_hidden_layers is 1: "
        "the further layers are left out\n"
    )
