"""An encoder of ours in the layout of Hugging Face's BERT: names, shapes and `config.json`.

`encoder_weights.py` reads this layout. Both ways keep every bit of the weights, with one exception:
BERT has no task embedding. Ours always adds the row of task 0, so that row is added to each row of
the token type embeddings.
"""

import re

import numpy as np

from rocketqa.encoder.config import ErnieConfig

# Our names -> Hugging Face's, applied in this order.
OUR_NAMES = (
    (r"^embeddings\.layer_norm\.", "embeddings.LayerNorm."),
    (r"^encoder\.layers\.", "encoder.layer."),
    (r"\.self_attn\.q_proj\.", ".attention.self.query."),
    (r"\.self_attn\.k_proj\.", ".attention.self.key."),
    (r"\.self_attn\.v_proj\.", ".attention.self.value."),
    (r"\.self_attn\.out_proj\.", ".attention.output.dense."),
    (r"\.norm1\.", ".attention.output.LayerNorm."),
    (r"\.linear1\.", ".intermediate.dense."),
    (r"\.linear2\.", ".output.dense."),
    (r"\.norm2\.", ".output.LayerNorm."),
)
DENSE_WEIGHT = re.compile(r"(query|key|value|dense|classifier)\.weight$")
TASK_TABLE = "embeddings.task_type_embeddings.weight"
TYPE_TABLE = "embeddings.token_type_embeddings.weight"
# The fields that BERT's `config.json` has by the same names.
BERT_FIELDS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "max_position_embeddings",
    "type_vocab_size",
    "initializer_range",
    "layer_norm_eps",
)

Weights = dict[str, np.ndarray]


def bert_weights(weights: Weights) -> Weights:
    """Returns an encoder's weights by Hugging Face's names, dense ones turned to [out, in]."""
    renamed = {}
    for name, value in _without_task(weights).items():
        for pattern, replacement in OUR_NAMES:
            name = re.sub(pattern, replacement, name)
        turned = value.T if DENSE_WEIGHT.search(name) else value
        renamed[name] = np.ascontiguousarray(turned)
    return renamed


def _without_task(weights: Weights) -> Weights:
    """Returns the weights with task 0, where there is one, added to the token types."""
    if TASK_TABLE not in weights:
        return weights
    task = weights[TASK_TABLE][0]  # [H]
    others = {name: value for name, value in weights.items() if name != TASK_TABLE}
    return others | {TYPE_TABLE: weights[TYPE_TABLE] + task}


def bert_settings(config: ErnieConfig, architecture: str, pad_id: int) -> dict[str, object]:
    """Returns the content of BERT's `config.json`.

    architecture: the class of transformers. pad_id: the id of [PAD].
    """
    fields = config._asdict()
    return {
        "architectures": [architecture],
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "pad_token_id": pad_id,
        **{name: fields[name] for name in BERT_FIELDS},
    }
