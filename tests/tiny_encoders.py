"""Tiny encoders with seeded weights, in evaluation mode, and rows of tokens for them."""

import numpy as np
import paddle

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.text.tokenizer import Encoding

TINY_CONFIG = ErnieConfig(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=40,
    initializer_range=0.3,
)


def rows_of_lengths(*lengths: int) -> list[Encoding]:
    """Returns a row of random tokens for each length; its second half is of type 1."""
    drawing = np.random.default_rng(len(lengths))
    rows = []
    for length in lengths:
        token_ids = drawing.integers(0, 50, length)
        type_ids = (np.arange(length) > length // 2).astype(np.int64)
        rows.append(Encoding(token_ids, type_ids))
    return rows


def tiny_ernie(config: ErnieConfig = TINY_CONFIG) -> Ernie:
    """Returns an encoder as a tower of a dual encoder has it: without a pooler.

    Its parameters have Paddle's default type.
    """
    model = Ernie(config, with_pooler=False)
    weights = initial_weights(config, 1)
    for name, parameter in model.state_dict().items():
        parameter.set_value(weights[name].astype(paddle.get_default_dtype()))
    model.eval()
    return model


def tiny_cross_encoder() -> CrossEncoder:
    """Returns a cross encoder whose parameters are all drawn from a normal distribution."""
    model = CrossEncoder(TINY_CONFIG)
    drawing = np.random.default_rng(2)
    for parameter in model.parameters():
        parameter.set_value(drawing.normal(0, 0.3, parameter.shape).astype(np.float32))
    model.eval()
    return model
