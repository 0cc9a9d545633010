"""The released variables and our parameters are the same ones under other names."""

import numpy as np
import pytest
from released_fixture import PACKAGE, ReleasedFixture

from rocketqa.files.errors import DataError
from rocketqa.weights.released_layout import KINDS, count_layers, read_variables, variable_names
from rocketqa.weights.released_models import read_released


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_of_a_network_has_a_released_name(tiny_config, kind):
    layer = KINDS[kind].layer(tiny_config)
    assert variable_names(KINDS[kind], tiny_config).keys() == layer.state_dict().keys()


def test_names_are_those_of_the_static_graph(tiny_config):
    names = variable_names(KINDS["dual_encoder"], tiny_config._replace(use_task_id=True))
    assert names["query_encoder.embeddings.word_embeddings.weight"] == "query_word_embedding"
    assert names["passage_encoder.embeddings.task_type_embeddings.weight"] == (
        "titlepara_task_embedding"
    )
    assert names["query_encoder.encoder.layers.2.self_attn.q_proj.weight"] == (
        "query_encoder_layer_2_multi_head_att_query_fc.w_0"
    )
    assert names["query_encoder.encoder.layers.0.norm2.bias"] == (
        "query_encoder_layer_0_post_ffn_layer_norm_bias"
    )


@pytest.mark.parametrize("kind", PACKAGE)
def test_no_variable_of_a_model_is_left_over(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    released = read_released(fixture.folder / "config.json")
    names = set(variable_names(released.kind, released.config).values())
    assert names == set(fixture.variables)


def test_layers_are_counted_by_their_prefix():
    variables = {f"qtp_encoder_layer_{number}_ffn_fc_0.w_0" for number in (0, 1, 10)}
    variables |= {"qtp_encoder_layer_0_ffn_fc_0.b_0", "encoder_layer_5_ffn_fc_0.w_0"}
    assert count_layers(variables, "qtp_") == 3
    assert count_layers(variables, "") == 1


def test_a_half_extracted_model_is_named(tmp_path):
    fixture = ReleasedFixture(tmp_path / "model", "separate")
    (fixture.folder / "step_10" / "titlepara_encoder_layer_1_ffn_fc_0.w_0").unlink()
    with pytest.raises(
        DataError, match=r"got 2 layers, 1 variables missing \['titlepara_encoder_layer_1_ffn_fc_0"
    ):
        read_released(fixture.folder / "config.json")


def test_a_folder_that_is_not_there_is_named(tmp_path, tiny_config):
    with pytest.raises(DataError, match="gone: expected the variables of 3 layers, got 0 layers"):
        read_variables(tmp_path / "gone", KINDS["cross_encoder"], tiny_config)


def test_a_shared_model_has_one_variable_for_both_encoders(tmp_path):
    released = read_released(ReleasedFixture(tmp_path / "model", "shared").folder / "config.json")
    assert released.kind == KINDS["shared"]
    assert not list(tmp_path.rglob("query_*"))
    np.testing.assert_array_equal(
        released.weights["query_encoder.embeddings.layer_norm.bias"],
        released.weights["passage_encoder.embeddings.layer_norm.bias"],
    )
