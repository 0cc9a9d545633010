"""The default architecture is ERNIE 2.0 base; a row that is too long is refused with its length."""

import pytest

from rocketqa.encoder.config import REPRESENTATIONS, ErnieConfig, refuse_long_row
from rocketqa.files.errors import DataError

OURS = ["representation", "similarity"]  # "temperature" is one of PaddleNLP's, of another thing


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
    assert (config.similarity, config.temperature) == ("dot", 1)


def test_the_fields_are_those_of_paddlenlp_and_one_of_ours(paddlenlp):
    from paddlenlp.transformers import ErnieConfig as PaddleNLPConfig

    known = PaddleNLPConfig().to_dict()
    assert [name for name in ErnieConfig._fields if name not in known] == OURS


def test_another_similarity_brings_its_temperature_and_a_choice_wins():
    config = ErnieConfig()
    assert config.with_similarity(None, None) == config.with_similarity("dot", None) == config
    cosine = config.with_similarity("cosine", None)
    assert (cosine.similarity, cosine.temperature) == ("cosine", 0.05)
    other = config.with_similarity("cosine", 0.1)
    assert (other.similarity, other.temperature) == ("cosine", 0.1)
    assert other.with_similarity("cosine", None) == other
    assert other.with_similarity("dot", None) == config


def test_the_fields_of_the_dot_product_are_not_written():
    fields = ErnieConfig().fields_to_write()
    assert list(fields) == list(ErnieConfig._fields[:-2])
    cosine = ErnieConfig().with_similarity("cosine", None)
    assert cosine.fields_to_write() == cosine._asdict()


def test_a_row_may_have_as_many_tokens_as_the_encoder_has_positions():
    refuse_long_row(ErnieConfig(max_position_embeddings=40), 40)


def test_a_longer_row_is_refused():
    with pytest.raises(DataError) as error:
        refuse_long_row(ErnieConfig(max_position_embeddings=40), 41)
    assert str(error.value) == (
        "encoder: expected rows of at most 40 tokens, the number of its positions, "
        "got a row of 41 tokens: choose a smaller length"
    )
