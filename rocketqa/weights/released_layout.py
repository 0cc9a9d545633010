"""The networks of the released models, and the names of their parameters there and here.

A released model is a folder with one file per variable of the static graph, named as the variable.
Both sides keep dense weights as [in, out], so that only names change.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import PackedRows
from rocketqa.files.errors import DataError
from rocketqa.weights.fluid_variables import read_variable

# Our names -> the released ones.
EMBEDDINGS = {
    "word_embeddings": "word_embedding",
    "position_embeddings": "pos_embedding",
    "token_type_embeddings": "sent_embedding",
    "task_type_embeddings": "task_embedding",
}
DENSE = {
    "self_attn.q_proj": "multi_head_att_query_fc",
    "self_attn.k_proj": "multi_head_att_key_fc",
    "self_attn.v_proj": "multi_head_att_value_fc",
    "self_attn.out_proj": "multi_head_att_output_fc",
    "linear1": "ffn_fc_0",
    "linear2": "ffn_fc_1",
}
NORMS = {"norm1": "post_att_layer_norm", "norm2": "post_ffn_layer_norm"}


class JointCrossEncoder(nn.Layer):
    """RocketQAv2's re-ranker: one logit from the raw first token, no probability.

    Only released models are of this class; nothing here trains one.
    """

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.config = config
        self.ernie = Ernie(config, with_pooler=False)
        self.classifier = nn.Linear(config.hidden_size, 1)

    def forward(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns logits [N]."""
        first_tokens = self.ernie(pairs)  # [N, H]
        return self.classifier(first_tokens)[:, 0]  # [N]


class Kind(NamedTuple):
    """A kind of released network.

    layer: our class. prefixes: our names of its encoders -> the released ones. head: our names of
    its other parameters -> the released ones. mark: a variable that tells this kind from the kinds
    after it in KINDS. length_fields: fields of `config.json` -> our names. default_lengths: those
    of the paper, in tokens.
    """

    layer: Callable[[ErnieConfig], nn.Layer]
    prefixes: dict[str, str]
    head: dict[str, str]
    mark: str
    length_fields: dict[str, str]
    default_lengths: dict[str, int]

    @property
    def is_dual(self) -> bool:
        """Whether the network encodes queries and passages apart."""
        return self.layer is DualEncoder


DUAL_LENGTH_FIELDS = {"q_max_seq_len": "query_length", "p_max_seq_len": "passage_length"}
DUAL_LENGTHS = {"query_length": 32, "passage_length": 128}
PAIR_LENGTH_FIELDS = {"max_seq_len": "max_length"}
PAIR_LENGTHS = {"max_length": 160}
KINDS = {
    "dual_encoder": Kind(
        layer=DualEncoder,
        prefixes={"query_encoder": "query_", "passage_encoder": "titlepara_"},
        head={},
        mark="query_word_embedding",
        length_fields=DUAL_LENGTH_FIELDS,
        default_lengths=DUAL_LENGTHS,
    ),
    "shared": Kind(
        layer=DualEncoder,
        prefixes={"query_encoder": "titlepara_", "passage_encoder": "titlepara_"},
        head={},
        mark="titlepara_word_embedding",
        length_fields=DUAL_LENGTH_FIELDS,
        default_lengths=DUAL_LENGTHS,
    ),
    "cross_encoder": Kind(
        layer=CrossEncoder,
        prefixes={"ernie": ""},
        head={
            "ernie.pooler.dense.weight": "pooled_fc.w_0",
            "ernie.pooler.dense.bias": "pooled_fc.b_0",
            "classifier.weight": "_cls_out_w",
            "classifier.bias": "_cls_out_b",
        },
        mark="_cls_out_w",
        length_fields=PAIR_LENGTH_FIELDS,
        default_lengths=PAIR_LENGTHS,
    ),
    "joint": Kind(
        layer=JointCrossEncoder,
        prefixes={"ernie": "qtp_"},
        head={"classifier.weight": "qtp__cls_out_w", "classifier.bias": "qtp__cls_out_b"},
        mark="qtp__cls_out_w",
        length_fields=PAIR_LENGTH_FIELDS,
        default_lengths=PAIR_LENGTHS,
    ),
}


def variable_names(kind: Kind, config: ErnieConfig) -> dict[str, str]:
    """Returns our parameters' names -> the released variables'."""
    names = dict(kind.head)
    for encoder, prefix in kind.prefixes.items():
        for ours, released in _encoder_names(config).items():
            names[f"{encoder}.{ours}"] = prefix + released
    return names


def _encoder_names(config: ErnieConfig) -> dict[str, str]:
    """Returns the parameters of one encoder, ours -> the released ones, without prefixes."""
    names = {}
    for ours, released in EMBEDDINGS.items():
        if ours != "task_type_embeddings" or config.use_task_id:
            names[f"embeddings.{ours}.weight"] = released
    norms = {"embeddings.layer_norm": "pre_encoder_layer_norm"}
    for number in range(config.num_hidden_layers):
        our_layer, released_layer = f"encoder.layers.{number}", f"encoder_layer_{number}"
        for ours, released in DENSE.items():
            names[f"{our_layer}.{ours}.weight"] = f"{released_layer}_{released}.w_0"
            names[f"{our_layer}.{ours}.bias"] = f"{released_layer}_{released}.b_0"
        for ours, released in NORMS.items():
            norms[f"{our_layer}.{ours}"] = f"{released_layer}_{released}"
    for ours, released in norms.items():
        names[f"{ours}.weight"] = f"{released}_scale"
        names[f"{ours}.bias"] = f"{released}_bias"
    return names


def read_variables(folder: Path, kind: Kind, config: ErnieConfig) -> dict[str, np.ndarray]:
    """Returns our state dict from a folder of variables.

    Files that are no parameters, such as the optimizer's, are left alone. Raises DataError where
    variables are missing, or those of another number of layers are there.
    """
    names = variable_names(kind, config)
    present = variables_in(folder)
    missing = sorted(set(names.values()) - present)
    layers = {count_layers(present, prefix) for prefix in kind.prefixes.values()}
    if missing or layers != {config.num_hidden_layers}:
        raise DataError(
            f"{folder}: expected the variables of {config.num_hidden_layers} layers, "
            f"got {max(layers)} layers, {len(missing)} variables missing {missing[:5]}"
        )
    values = {released: read_variable(folder / released) for released in set(names.values())}
    return {ours: values[released] for ours, released in names.items()}


def variables_in(folder: Path) -> set[str]:
    """Returns the names of the files in a folder; an empty set where it is no folder."""
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir()}


def count_layers(variables: set[str], prefix: str) -> int:
    """Returns how many layers the encoder has whose variables have this prefix."""
    one_per_layer = re.compile(prefix + r"encoder_layer_\d+_ffn_fc_0\.w_0")
    return sum(one_per_layer.fullmatch(name) is not None for name in variables)
