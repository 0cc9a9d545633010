"""The released models of RocketQA, PAIR and RocketQAv2: where they are, and their layout to and from our parameters.

    config.json     model_type, lengths, and the paths of the others: model_conf_path, model_vocab_path,
                    model_checkpoint_path; for_cn: spaces are removed from texts; share_parameter: one tower for both
                    inputs; joint_training: a re-ranker of RocketQAv2
    a JSON file     the architecture, as ERNIE's `ernie_config.json`
    a vocabulary    a word a line, in ERNIE 1.0's also its index after a tab
    a folder        one file per variable of the static graph, named as it (and those of the optimizer, not read)

The NAACL release's checkpoints are the last of these alone. All networks have epsilon 1e-5 and an inner size of 4 H.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
from paddle import nn
from safetensors.numpy import load_file

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import PackedRows
from rocketqa.files.errors import DataError
from rocketqa.jobs.job import MANIFEST
from rocketqa.weights.checkpoint import CONFIG, EXTRA, LOG, MEASURED, OPTIMIZER, WEIGHTS
from rocketqa.weights.fluid_variables import read_variable, variable_bytes

HOST = "https://rocketqa.bj.bcebos.com"
MODELS = {  # name -> md5 of HOST/RocketQAModels/NAME.tar.gz
    "v1_marco_de": "d8210e4080935bd7fdad7a394cd60b66",
    "v1_marco_ce": "caec5aedc46f22edd7107ecd793fc7fb",
    "v1_nq_de": "cfeb70f82087b8a47bb0d6d6cfcd61c5",
    "v1_nq_ce": "15aac78d70cc25994016b8a30d80f12c",
    "pair_marco_de": "b4080ffa2999525e5ba2aa1f4e03a9e8",
    "pair_nq_de": "d770bc379ec6def7e0588ec02c80ace2",
    "v2_marco_de": "4ce64ff35d1d831f0ca989e49abde227",
    "v2_marco_ce": "915ea7ff214a4a92a3a1e1d56c3fb469",
    "v2_nq_de": "8f177aa75cadaad6656dcd981edc983b",
    "zh_dureader_de": "39811675289311c236c667ad57ebd2d2",
    "zh_dureader_ce": "11caeb179febc5f0a55fa10ae3f2d123",
    "zh_dureader_de_v2": "889e62b0091bc350622549b57a2616ec",
    "zh_dureader_ce_v2": "552675c98c546e798a33cc84325921f6",
}
CHECKPOINTS = (  # HOST/V1/checkpoint/NAME.tar.gz; their md5 is not published
    "marco_dual_encoder_v0",
    "marco_dual_encoder_v2",
    "marco_cross_encoder_large",
    "nq_dual_encoder_v2",
    "nq_cross_encoder_large",
)

# Our names -> theirs. Both keep dense weights as [in, out].
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
LENGTHS = {
    True: {
        "q_max_seq_len": "query_length",
        "p_max_seq_len": "passage_length",
    },  # dual encoder or not
    False: {"max_seq_len": "max_length"},
}
DEFAULT_LENGTHS = {True: {"query_length": 32, "passage_length": 128}, False: {"max_length": 160}}
ARCHITECTURE = {
    "vocab_size": int,
    "hidden_size": int,
    "num_hidden_layers": int,
    "num_attention_heads": int,
    "max_position_embeddings": int,
    "hidden_act": str,
}
TOLD_BY = {
    "dual_encoder": "query_word_embedding",
    "shared": "titlepara_word_embedding",
    "joint": "qtp__cls_out_w",
    "cross_encoder": "_cls_out_w",
}
VOCABULARY, TOKENIZER = "vocab.txt", "tokenizer_config.json"


class JointCrossEncoder(nn.Layer):
    """RocketQAv2's re-ranker: one logit from the raw first token, no probability. Only released models are such."""

    def __init__(self, config: ErnieConfig):
        super().__init__()
        self.config = config
        self.ernie = Ernie(config, with_pooler=False)
        self.classifier = nn.Linear(config.hidden_size, 1)

    def forward(self, pairs: PackedRows) -> paddle.Tensor:
        """Returns logits [N]."""
        return self.classifier(self.ernie(pairs))[:, 0]


class Kind(NamedTuple):
    """A released network: our layer, the prefix of each of its ERNIEs, our names of its head -> theirs."""

    layer: Callable[[ErnieConfig], nn.Layer]
    prefixes: dict[str, str]
    head: dict[str, str]


KINDS = {
    "dual_encoder": Kind(
        DualEncoder, {"query_encoder": "query_", "passage_encoder": "titlepara_"}, {}
    ),
    "shared": Kind(
        DualEncoder, {"query_encoder": "titlepara_", "passage_encoder": "titlepara_"}, {}
    ),
    "cross_encoder": Kind(
        CrossEncoder,
        {"ernie": ""},
        {
            "ernie.pooler.dense.weight": "pooled_fc.w_0",
            "ernie.pooler.dense.bias": "pooled_fc.b_0",
            "classifier.weight": "_cls_out_w",
            "classifier.bias": "_cls_out_b",
        },
    ),
    "joint": Kind(
        JointCrossEncoder,
        {"ernie": "qtp_"},
        {"classifier.weight": "qtp__cls_out_w", "classifier.bias": "qtp__cls_out_b"},
    ),
}


class Released(NamedTuple):
    """A model: the network, our state dict, its tokenizer's files, its lengths by the names of our flags."""

    kind: Kind
    config: ErnieConfig
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]
    lengths: dict[str, int]
    files: tuple[Path, ...] = ()  # all that it was read from


def variable_names(kind: Kind, config: ErnieConfig) -> dict[str, str]:
    """Returns our parameters' names -> the released variables'."""
    names = dict(kind.head)
    for tower, prefix in kind.prefixes.items():
        for ours, theirs in EMBEDDINGS.items():
            if ours != "task_type_embeddings" or config.use_task_id:
                names[f"{tower}.embeddings.{ours}.weight"] = prefix + theirs
        norms = {"embeddings.layer_norm": "pre_encoder_layer_norm"}
        for i in range(config.num_hidden_layers):
            layer = f"{prefix}encoder_layer_{i}_"
            for ours, theirs in DENSE.items():
                names[f"{tower}.encoder.layers.{i}.{ours}.weight"] = f"{layer}{theirs}.w_0"
                names[f"{tower}.encoder.layers.{i}.{ours}.bias"] = f"{layer}{theirs}.b_0"
            norms |= {
                f"encoder.layers.{i}.{ours}": f"encoder_layer_{i}_{theirs}"
                for ours, theirs in NORMS.items()
            }
        for ours, theirs in norms.items():
            names[f"{tower}.{ours}.weight"] = f"{prefix}{theirs}_scale"
            names[f"{tower}.{ours}.bias"] = f"{prefix}{theirs}_bias"
    return names


def read_weights(folder: Path, kind: Kind, config: ErnieConfig) -> dict[str, np.ndarray]:
    """Returns our state dict from a folder of variables. Raises DataError naming what is missing or too much."""
    names = variable_names(kind, config)
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = sorted(set(names.values()) - there)
    layers = {count_layers(there, prefix) for prefix in kind.prefixes.values()}
    if missing or layers != {config.num_hidden_layers}:
        raise DataError(
            f"{folder}: expected the variables of {config.num_hidden_layers} layers, got {max(layers)} "
            f"layers, {len(missing)} variables missing {missing[:5]}"
        )
    values = {theirs: read_variable(folder / theirs) for theirs in set(names.values())}
    return {ours: values[theirs] for ours, theirs in names.items()}


def count_layers(names: set[str], prefix: str) -> int:
    """Returns how many layers an ERNIE has whose variables have this prefix."""
    return sum(
        re.fullmatch(prefix + r"encoder_layer_\d+_ffn_fc_0\.w_0", name) is not None
        for name in names
    )


def read_released(config_file: Path) -> Released:
    """Returns the model that a released `config.json` describes. Raises DataError where something of it is not so."""
    settings, folder = _settings(config_file), config_file.parent
    dual = "q_max_seq_len" in settings
    if (
        settings.get("model_type", expected := "dual_encoder" if dual else "cross_encoder")
        != expected
    ):
        raise DataError(
            f"{config_file}: expected model_type {expected}, by its lengths, got {settings['model_type']}"
        )
    kind = (
        KINDS["shared" if settings.get("share_parameter") else "dual_encoder"]
        if dual
        else KINDS["joint" if settings.get("joint_training") else "cross_encoder"]
    )
    paths = [
        folder / _setting(settings, f"model_{what}_path", str, config_file)
        for what in ("conf", "vocab", "checkpoint")
    ]
    config = read_architecture(paths[0])
    lengths = {
        ours: _setting(settings, theirs, int, config_file) for theirs, ours in LENGTHS[dual].items()
    }
    if not all(8 <= length <= config.max_position_embeddings for length in lengths.values()):
        raise DataError(
            f"{config_file}: expected lengths of 8 to {config.max_position_embeddings}, got {lengths}"
        )
    return Released(
        kind,
        config,
        read_weights(paths[2], kind, config),
        tokenizer_files(paths[1], config, bool(settings.get("for_cn"))),
        lengths,
        (config_file, *paths),
    )


def read_architecture(path: Path) -> ErnieConfig:
    """Returns the architecture that a released `ernie_config.json` describes."""
    settings = _settings(path)
    known = {name: _setting(settings, name, kind, path) for name, kind in ARCHITECTURE.items()}
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        known[name] = settings.get(name)
        if type(known[name]) not in (int, float) or not 0 <= known[name] < 1:
            raise DataError(f"{path}: expected {name}, 0 to 1, got {known[name]!r}")
    types = "sent_type_vocab_size" if settings.get("sent_type_vocab_size") else "type_vocab_size"
    if known["hidden_act"] not in ("gelu", "relu"):
        raise DataError(f"{path}: expected hidden_act gelu or relu, got {known['hidden_act']}")
    if known["hidden_size"] % known["num_attention_heads"]:
        raise DataError(
            f"{path}: expected a hidden_size for {known['num_attention_heads']} heads, "
            f"got {known['hidden_size']}"
        )
    return ErnieConfig(
        **known,
        intermediate_size=4 * known["hidden_size"],
        layer_norm_eps=1e-5,
        type_vocab_size=_setting(settings, types, int, path),
        use_task_id=bool(settings.get("use_task_id")),
        task_type_vocab_size=_setting(
            {"task_type_vocab_size": 16} | settings, "task_type_vocab_size", int, path
        ),
    )


def _settings(path: Path) -> dict:
    if not path.is_file():
        raise DataError(f"{path}: expected a file, got nothing there")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, got {error}") from None
    if not isinstance(settings, dict):
        raise DataError(f"{path}: expected settings by name, got a {type(settings).__name__}")
    return settings


def _setting(settings: dict, name: str, kind: type, path: Path):
    value = settings.get(name)
    if type(value) is not kind or not value or kind is int and not 0 < value < 1 << 31:
        raise DataError(
            f"{path}: expected {name}, {'a text' if kind is str else 'a number from 1'}, got {value!r}"
        )
    return value


def tokenizer_files(vocab: Path, config: ErnieConfig, remove_spaces: bool) -> dict[str, bytes]:
    """Returns our tokenizer's files for a released vocabulary: a word a line, or each with its index after a tab."""
    if not vocab.is_file():
        raise DataError(f"{vocab}: expected a vocabulary, got nothing there")
    try:
        words = [
            line.split("\t")
            for line in vocab.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        ]
    except UnicodeDecodeError as error:
        raise DataError(f"{vocab}: expected UTF-8, got {error.reason}") from None
    if all(len(line) == 2 and line[1].strip().isdecimal() for line in words):
        words.sort(key=lambda line: int(line[1]))
        if [int(line[1]) for line in words] != list(range(len(words))):
            raise DataError(
                f"{vocab}: expected each index from 0 to {len(words) - 1} once, got others"
            )
    if len(words) > config.vocab_size:
        raise DataError(
            f"{vocab}: expected at most vocab_size {config.vocab_size} words, got {len(words)}"
        )
    files = {VOCABULARY: "".join(f"{line[0]}\n" for line in words).encode()}
    if remove_spaces:
        files[TOKENIZER] = (
            json.dumps({"do_lower_case": True, "remove_spaces": True}) + "\n"
        ).encode()
    return files


def read_variables_alone(folder: Path, vocab: Path) -> Released:
    """Returns the model of a folder of variables, as the NAACL release has them: what is said nowhere is in the shapes.

    Heads have 64 places and the activation is gelu, as in ERNIE 2.0, base and large.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    name = next((name for name, variable in TOLD_BY.items() if variable in there), None)
    if not name:
        raise DataError(
            f"{folder}: expected one of the variables {', '.join(TOLD_BY.values())}, got none"
        )
    kind = KINDS[name]
    prefix = list(kind.prefixes.values())[-1]
    words, positions, types = (
        read_variable(folder / f"{prefix}{EMBEDDINGS[embedding]}").shape
        for embedding in ("word_embeddings", "position_embeddings", "token_type_embeddings")
    )
    config = ErnieConfig(
        vocab_size=words[0],
        hidden_size=words[1],
        num_hidden_layers=count_layers(there, prefix),
        num_attention_heads=max(1, words[1] // 64),
        intermediate_size=4 * words[1],
        type_vocab_size=types[0],
        max_position_embeddings=positions[0],
        use_task_id=f"{prefix}task_embedding" in there,
    )
    return Released(
        kind,
        config,
        read_weights(folder, kind, config),
        tokenizer_files(vocab, config, False),
        DEFAULT_LENGTHS[kind.layer is DualEncoder],
        (folder, vocab),
    )


def read_model_of(config_file: Path) -> Released:
    """Returns the model that a `config.json` is of: a released one, or a checkpoint of ours."""
    ours = "model_conf_path" not in _settings(config_file)
    return read_checkpoint(config_file.parent) if ours else read_released(config_file)


def read_checkpoint(folder: Path) -> Released:
    """Returns a checkpoint of ours in the same form; what its training has not said is as in the paper."""
    settings = _settings(folder / CONFIG)
    kind = next(
        (kind for kind in KINDS.values() if kind.layer.__name__ == settings.get("model")), None
    )
    if not kind:
        raise DataError(
            f"{folder}: expected a dual or cross encoder, got {settings.get('model', 'another model')}"
        )
    weights = load_file(folder / WEIGHTS)
    if kind.layer is DualEncoder and _towers_are_the_same(weights):
        kind = KINDS["shared"]
    flags = _settings(folder / MANIFEST)["job"]["flags"] if (folder / MANIFEST).is_file() else {}
    lengths = {
        name: flags.get(name, length)
        for name, length in DEFAULT_LENGTHS[kind.layer is DualEncoder].items()
    }
    files = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.name not in (CONFIG, WEIGHTS, MANIFEST, LOG, OPTIMIZER, EXTRA, MEASURED)
    }
    return Released(kind, ErnieConfig(**settings["encoder"]), weights, files, lengths, (folder,))


def _towers_are_the_same(weights: dict[str, np.ndarray]) -> bool:
    return all(
        np.array_equal(value, weights[name.replace("query_encoder.", "passage_encoder.", 1)])
        for name, value in weights.items()
    )


def write_released(folder: Path, model: Released) -> None:
    """Writes a model as the released package reads it. Raises DataError where that can have no such network."""
    config, settings = model.config, json.loads(model.tokenizer_files.get(TOKENIZER, b"{}"))
    for what, expected, found in (
        ("layer_norm_eps", 1e-5, config.layer_norm_eps),
        ("representation", "first", config.representation),
        ("intermediate_size", 4 * config.hidden_size, config.intermediate_size),
        ("do_lower_case", True, settings.get("do_lower_case", True)),
        ("a vocabulary", VOCABULARY, VOCABULARY if VOCABULARY in model.tokenizer_files else None),
    ):
        if found != expected:
            raise DataError(
                f"{folder}: expected {what} {expected}, which all released models have, got {found}"
            )
    dual = model.kind.layer is DualEncoder
    paths = {
        "model_conf_path": "ernie_config.json",
        "model_vocab_path": VOCABULARY,
        "model_checkpoint_path": "params",
    }
    package = {
        "model_type": "dual_encoder" if dual else "cross_encoder",
        **{theirs: model.lengths[ours] for theirs, ours in LENGTHS[dual].items()},
        **paths,
        "for_cn": settings.get("remove_spaces", False),
        "share_parameter": int(model.kind is KINDS["shared"]),
        "joint_training": int(model.kind is KINDS["joint"]),
    }
    architecture = {
        name: value
        for name, value in config._asdict().items()
        if name not in ("layer_norm_eps", "intermediate_size", "type_vocab_size", "representation")
    }
    (folder / CONFIG).write_text(json.dumps(package, indent=4) + "\n", encoding="utf-8")
    (folder / paths["model_conf_path"]).write_text(
        json.dumps(architecture | {"sent_type_vocab_size": config.type_vocab_size}, indent=4)
        + "\n",
        encoding="utf-8",
    )
    (folder / VOCABULARY).write_bytes(model.tokenizer_files[VOCABULARY])
    (folder / "params").mkdir()
    for ours, theirs in variable_names(model.kind, config).items():
        (folder / "params" / theirs).write_bytes(variable_bytes(model.weights[ours]))
