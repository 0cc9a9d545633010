"""The default architecture is ERNIE 2.0 base; a row that is too long is refused with its length."""

import pytest

from rocketqa.encoder.config import REPRESENTATIONS, ErnieConfig, refuse_long_row
from rocketqa.files.errors import DataError


def test_the_defaults_are_ernie_2_base_and_the_first_token_stands_for_a_row():
    config = ErnieConfig()
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        12,
        768,
        12,
    )
    assert (config.vocab_size, config.intermediate_size) == (30522, 3072)
    assert (config.max_position_embeddings, config.layer_norm_eps) == (512, 1e-5)
    assert config.representation == REPRESENTATIONS[0] == "first"


def test_the_fields_are_those_of_paddlenlp_and_one_of_ours(paddlenlp):
    from paddlenlp.transformers import ErnieConfig as PaddleNLPConfig

    known = PaddleNLPConfig().to_dict()
    assert [name for name in ErnieConfig._fields if name not in known] == ["representation"]


def test_a_row_may_have_as_many_tokens_as_the_encoder_has_positions():
    refuse_long_row(ErnieConfig(max_position_embeddings=40), 40)


def test_a_longer_row_is_refused():
    with pytest.raises(DataError) as error:
        refuse_long_row(ErnieConfig(max_position_embeddings=40), 41)
    assert str(error.value) == (
        "encoder: expected rows of at most 40 tokens, the number of its positions, "
        "got a row of 41 tokens: choose a smaller length"
    )
