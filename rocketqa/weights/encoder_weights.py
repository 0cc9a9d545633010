"""The parameters of one encoder: names, shapes, and how those of BERT and ERNIE become ours.

Letters in shapes: V vocabulary, H hidden size, I intermediate size. Dense weights are [in, out]
here and in PaddleNLP, [out, in] in Hugging Face's files.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.weights.notes import say

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
# What others put before the names of an encoder, one or several of them.
KNOWN_PREFIXES = (
    "bert",
    "ernie",
    "encoder",
    "model",
    "module",  # PyTorch's DataParallel
    "_orig_mod",  # torch.compile
    "ptm",  # PaddleNLP's examples
    "0.auto_model",  # sentence-transformers
    "auto_model",
    "question_model",  # DPR
    "ctx_model",
    "question_encoder",  # DPR in Hugging Face's layout
    "ctx_encoder",
    "bert_model",
)
QUERY_PREFIXES = ("question_model", "question_encoder")
PASSAGE_PREFIXES = ("ctx_model", "ctx_encoder")
DENSE_WEIGHT = re.compile(r"(_proj|linear1|linear2|pooler\.dense)\.weight$")
CLASSIFIER = re.compile(r"^classifier\.(weight|bias)$")  # the head of a cross encoder
LAYER = re.compile(r"^encoder\.layers\.(\d+)\.")
NOT_OF_THE_ENCODER = re.compile(
    r"^embeddings\.position_ids$"  # a buffer: 0, 1, 2 ...
    r"|^embeddings\.token_type_ids$"  # a buffer of zeros
    r"|^cls\.predictions\."  # a head of pre-training
    r"|^cls\.seq_relationship\."  # a head of pre-training
    r"|^qa_outputs\."  # a head that marks answers
    rf"|{CLASSIFIER.pattern}"
)
# A cross encoder draws its own pooler where the source has none.
MAY_BE_MISSING = {"pooler.dense.weight", "pooler.dense.bias"}
LARGEST_FLOAT = np.finfo(np.float32).max
TOWERS = ("query_encoder", "passage_encoder")

Weights = dict[str, np.ndarray]


def _any_of(prefixes: Sequence[str]) -> str:
    """Returns the pattern of one or several of the prefixes.

    A prefix that stands before the number of a layer is a part of the name.
    """
    alternatives = "|".join(re.escape(prefix) for prefix in prefixes)
    return rf"^(?:(?:{alternatives})\.(?!layers?\.))+"


PREFIX = re.compile(_any_of(KNOWN_PREFIXES))


def bare_name(name: str) -> str:
    """Returns the name of a parameter without the prefixes that others put before it."""
    return PREFIX.sub("", name)


def has_our_names(weights: Iterable[str]) -> bool:
    """Returns whether the names are ours and PaddleNLP's, not Hugging Face's."""
    return any(LAYER.match(bare_name(name)) for name in weights)


def encoder_weights(weights: Weights, config: ErnieConfig, place: object) -> Weights:
    """Returns an encoder's weights by our names, float32: all of its parameters and no others.

    weights: by our names or Hugging Face's, with or without known prefixes. place: the file in
    error messages. Layers beyond those of `config` are left out, and a line says so. Raises
    DataError with the names of parameters that are missing, unexpected, of another shape or type,
    or not finite.
    """
    count = len(weights)
    is_hugging_face = not has_our_names(weights)
    weights = {bare_name(name): value for name, value in weights.items()}
    if is_hugging_face:
        weights = from_bert_names(weights)
    if len(weights) < count or config.num_hidden_layers > count:
        raise DataError(
            f"{place}: expected each parameter of {config.num_hidden_layers} layers once, "
            f"got {len(weights)} different ones under {count} names"
        )
    weights = {name: value for name, value in weights.items() if not NOT_OF_THE_ENCODER.match(name)}
    weights = _without_further_layers(weights, config, place)
    _check_names_and_shapes(weights, parameter_shapes(config), place)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def dual_encoder_weights(weights: Weights, config: ErnieConfig, place: object) -> Weights:
    """Returns the weights of both encoders of a dual encoder, `query_encoder.*` and
    `passage_encoder.*`, where the names tell two apart, as DPR's do; else those of one encoder.
    """
    towers: dict[str, Weights] = {tower: {} for tower in TOWERS}
    for name, value in weights.items():
        of_passages = any(f"{prefix}." in name for prefix in PASSAGE_PREFIXES)
        towers["passage_encoder" if of_passages else "query_encoder"][name] = value
    has_queries = any(f"{prefix}." in name for name in weights for prefix in QUERY_PREFIXES)
    if not has_queries or not towers["passage_encoder"]:
        return encoder_weights(weights, config, place)
    both = {}
    for tower, of_tower in towers.items():
        for name, value in encoder_weights(of_tower, config, place).items():
            if name not in MAY_BE_MISSING:
                both[f"{tower}.{name}"] = value
    return both


def _without_further_layers(weights: Weights, config: ErnieConfig, place: object) -> Weights:
    """Returns the weights without layers that the configuration does not have."""
    further = set()
    kept = {}
    for name, value in weights.items():
        layer = LAYER.match(name)
        if layer and int(layer[1]) >= config.num_hidden_layers:
            further.add(int(layer[1]))
        else:
            kept[name] = value
    if further:
        say(
            f"{place}: the weights have {max(further) + 1} layers, num_hidden_layers is "
            f"{config.num_hidden_layers}: the further layers are left out"
        )
    return kept


def are_finite_floats(values: np.ndarray) -> bool:
    """Returns whether all values are floats that float32 holds."""
    return values.dtype.kind == "f" and bool(np.abs(values).max(initial=0) <= LARGEST_FLOAT)


def _check_names_and_shapes(
    weights: Weights, expected: dict[str, tuple[int, ...]], place: object
) -> None:
    missing = sorted(expected.keys() - weights.keys() - MAY_BE_MISSING)
    unexpected = sorted(weights.keys() - expected.keys())
    if missing or unexpected:
        raise DataError(
            f"{place}: expected the parameters of the encoder in config.json, "
            f"got missing {missing[:5]}, unexpected {unexpected[:5]}"
        )
    for name, value in weights.items():
        finite = are_finite_floats(value)
        if value.shape != expected[name] or not finite:
            fault = "" if finite else ", not all finite floats"
            raise DataError(
                f"{place}: expected finite floats of shape {list(expected[name])} for {name}, "
                f"got {value.dtype} of {list(value.shape)}{fault}"
            )


def from_bert_names(weights: Weights) -> Weights:
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
