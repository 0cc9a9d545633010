"""The parameters of one encoder: names, shapes, and how those of BERT and ERNIE become ours.

Letters in shapes: V vocabulary, H hidden size, I intermediate size. Dense weights are [in, out]
here and in PaddleNLP, [out, in] in Hugging Face's files.
"""

import re

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError

# Hugging Face's names -> ours, applied in this order.
BERT_NAMES = (
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"^embeddings\.LayerNorm\.", "embeddings.layer_norm."),
    (r"^encoder\.layer\.", "encoder.layers."),
    (r"\.attention\.self\.query\.", ".self_attn.q_proj."),
    (r"\.attention\.self\.key\.", ".self_attn.k_proj."),
    (r"\.attention\.self\.value\.", ".self_attn.v_proj."),
    (r"\.attention\.output\.dense\.", ".self_attn.out_proj."),
    (r"\.attention\.output\.LayerNorm\.", ".norm1."),
    (r"\.intermediate\.dense\.", ".linear1."),
    (r"\.output\.dense\.", ".linear2."),
    (r"\.output\.LayerNorm\.", ".norm2."),
)
MODEL_PREFIX = re.compile(r"^(bert|ernie)\.")
DENSE_WEIGHT = re.compile(r"(_proj|linear1|linear2|pooler\.dense)\.weight$")
NOT_OF_THE_ENCODER = re.compile(
    r"^embeddings\.position_ids$"  # a buffer: 0, 1, 2 ...
    r"|^embeddings\.token_type_ids$"  # a buffer of zeros
    r"|^cls\.predictions\."  # a head of pre-training
    r"|^cls\.seq_relationship\."  # a head of pre-training
    r"|^classifier\.(weight|bias)$"  # the head of a cross encoder in PaddleNLP
)
# A cross encoder draws its own pooler where the source has none.
MAY_BE_MISSING = {"pooler.dense.weight", "pooler.dense.bias"}
LARGEST_FLOAT = np.finfo(np.float32).max


def encoder_weights(
    weights: dict[str, np.ndarray], config: ErnieConfig, place: object
) -> dict[str, np.ndarray]:
    """Returns an encoder's weights by our names, float32: all of its parameters and no others.

    weights: by our names or Hugging Face's, with or without a prefix. place: the file in error
    messages. Raises DataError with the names of parameters that are missing, unexpected, of another
    shape or type, or not finite.
    """
    count = len(weights)
    weights = {MODEL_PREFIX.sub("", name): value for name, value in weights.items()}
    if not any(name.startswith("encoder.layers.") for name in weights):
        weights = from_bert_names(weights)
    if len(weights) < count or config.num_hidden_layers > count:
        raise DataError(
            f"{place}: expected each parameter of {config.num_hidden_layers} layers once, "
            f"got {len(weights)} different ones under {count} names"
        )
    weights = {name: value for name, value in weights.items() if not NOT_OF_THE_ENCODER.match(name)}
    _check_names_and_shapes(weights, parameter_shapes(config), place)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def _check_names_and_shapes(
    weights: dict[str, np.ndarray], expected: dict[str, tuple[int, ...]], place: object
) -> None:
    missing = sorted(expected.keys() - weights.keys() - MAY_BE_MISSING)
    unexpected = sorted(weights.keys() - expected.keys())
    if missing or unexpected:
        raise DataError(
            f"{place}: expected the parameters of the encoder in config.json, "
            f"got missing {missing[:5]}, unexpected {unexpected[:5]}"
        )
    for name, value in weights.items():
        are_finite_floats = value.dtype.kind == "f" and np.abs(value).max() <= LARGEST_FLOAT
        if value.shape != expected[name] or not are_finite_floats:
            fault = "" if are_finite_floats else ", not all finite floats"
            raise DataError(
                f"{place}: expected finite floats of shape {list(expected[name])} for {name}, "
                f"got {value.dtype} of {list(value.shape)}{fault}"
            )


def from_bert_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns Hugging Face's weights by our names, dense ones turned to [in, out]."""
    renamed = {}
    for name, value in weights.items():
        for pattern, replacement in BERT_NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value.T if DENSE_WEIGHT.search(name) else value
    return renamed


def parameter_shapes(config: ErnieConfig) -> dict[str, tuple[int, ...]]:
    """Returns every parameter of an encoder, the pooler included, with its shape."""
    hidden_size = config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for table, rows in _embedding_rows(config).items():
        shapes[f"embeddings.{table}_embeddings.weight"] = (rows, hidden_size)  # [V, H] for words
    for name, (inputs, outputs) in _dense_shapes(config).items():
        shapes[f"{name}.weight"] = (inputs, outputs)
        shapes[f"{name}.bias"] = (outputs,)
    norms = ["embeddings.layer_norm"]
    for layer in range(config.num_hidden_layers):
        norms += [f"encoder.layers.{layer}.norm1", f"encoder.layers.{layer}.norm2"]
    for norm in norms:
        shapes[f"{norm}.weight"] = (hidden_size,)
        shapes[f"{norm}.bias"] = (hidden_size,)
    return shapes


def _embedding_rows(config: ErnieConfig) -> dict[str, int]:
    rows = {
        "word": config.vocab_size,
        "position": config.max_position_embeddings,
        "token_type": config.type_vocab_size,
    }
    if config.use_task_id:
        rows["task_type"] = config.task_type_vocab_size
    return rows


def _dense_shapes(config: ErnieConfig) -> dict[str, tuple[int, int]]:
    """Returns the dense layers with their numbers of inputs and outputs."""
    hidden_size, inner_size = config.hidden_size, config.intermediate_size
    shapes = {"pooler.dense": (hidden_size, hidden_size)}
    for number in range(config.num_hidden_layers):
        layer = f"encoder.layers.{number}"
        for projection in ("q", "k", "v", "out"):
            shapes[f"{layer}.self_attn.{projection}_proj"] = (hidden_size, hidden_size)
        shapes[f"{layer}.linear1"] = (hidden_size, inner_size)  # [H, I]
        shapes[f"{layer}.linear2"] = (inner_size, hidden_size)  # [I, H]
    return shapes
