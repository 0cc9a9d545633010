"""PaddleNLP's ErnieModel as the oracle of our encoder: the same weights, padded batches."""

from collections.abc import Sequence

import numpy as np
import paddle

from rocketqa.encoder.config import ErnieConfig
from rocketqa.text.tokenizer import Encoding


def paddlenlp_encoder(config: ErnieConfig, weights: dict[str, np.ndarray]) -> paddle.nn.Layer:
    """Returns PaddleNLP's encoder with these weights."""
    from paddlenlp.transformers import ErnieConfig as PaddleNLPConfig
    from paddlenlp.transformers import ErnieModel

    model = ErnieModel(PaddleNLPConfig(**config._asdict()))
    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.LayerNorm):
            layer._epsilon = config.layer_norm_eps  # PaddleNLP's hook always sets 1e-12.
    assert model.state_dict().keys() == weights.keys()
    for name, parameter in model.state_dict().items():
        parameter.set_value(weights[name])
    return model


def padded_batch(rows: Sequence[Encoding]) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Returns token ids and type ids, [N, L] both, 0 on padding."""
    longest = max(len(row.token_ids) for row in rows)
    token_ids = np.zeros((len(rows), longest), np.int64)
    type_ids = np.zeros((len(rows), longest), np.int64)
    for place, row in enumerate(rows):
        length = len(row.token_ids)
        token_ids[place, :length] = row.token_ids
        type_ids[place, :length] = row.type_ids
    return paddle.to_tensor(token_ids), paddle.to_tensor(type_ids)


def mean_of_tokens(hidden: paddle.Tensor, token_ids: paddle.Tensor) -> paddle.Tensor:
    """Returns the mean over each row's tokens without padding, [N, H]; hidden: [N, L, H]."""
    is_token = (token_ids != 0).astype(hidden.dtype).unsqueeze(2)  # [N, L, 1]
    return (hidden * is_token).sum(axis=1) / is_token.sum(axis=1)
