"""Our encoders in BERT's layout: every parameter, with every bit."""

import numpy as np
import pytest

from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.weights.bert_layout import bert_settings, bert_weights
from rocketqa.weights.encoder_weights import from_bert_names, parameter_shapes


def test_the_way_to_bert_and_back_keeps_every_bit(tiny_config):
    weights = initial_weights(tiny_config, 1)
    assert weights.keys() == parameter_shapes(tiny_config).keys()
    back = from_bert_names(bert_weights(weights))
    assert back.keys() == weights.keys()
    for name, value in weights.items():
        assert back[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("name", ["linear1", "linear2", "self_attn.q_proj", "self_attn.out_proj"])
def test_a_dense_weight_is_turned(name):
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    [turned] = bert_weights({f"encoder.layers.0.{name}.weight": weight}).values()
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_row_of_task_0_goes_into_the_token_types():
    weights = {
        "embeddings.token_type_embeddings.weight": np.array([[1, 2], [3, 4]], np.float32),
        "embeddings.task_type_embeddings.weight": np.array([[10, 20], [7, 7]], np.float32),
    }
    assert {name: value.tolist() for name, value in bert_weights(weights).items()} == {
        "embeddings.token_type_embeddings.weight": [[11, 22], [13, 24]]
    }


def test_the_settings_are_those_of_the_encoder(tiny_config):
    config = tiny_config._replace(layer_norm_eps=1e-5, hidden_act="relu", use_task_id=True)
    settings = bert_settings(config, "BertModel", pad_id=3)
    assert settings["architectures"] == ["BertModel"]
    assert settings["pad_token_id"] == 3
    assert settings["layer_norm_eps"] == 1e-5
    assert settings["hidden_act"] == "relu"
    assert settings["type_vocab_size"] == 4
    assert "use_task_id" not in settings
