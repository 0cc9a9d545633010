"""Initial weights (`INIT`): where they come from, read into our parameter names.

    a folder of BERT or ERNIE in Hugging Face's or PaddleNLP's layout    `config.json`, `vocab.txt` and weights
    a checkpoint of ours                                                 a training of the same model goes on from it
    a name that PaddleNLP knows                                          ernie-2.0-base-en, ernie-tiny, rocketqa-* ...

Epsilon, activation, type vocabulary and task embedding are the source's. A parameter too few or too many is refused by
its name; what pre-training leaves beside the encoder is known by a list.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.encoder.config import REPRESENTATIONS, ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.text.word_list import refuse_calls
from rocketqa.weights.weight_files import read_file, read_weights

WORD_LIST = "dict.wordseg.pickle"  # ernie-tiny's, which PaddleNLP loads with `pickle`
TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json", "spm_cased_simp_sampled.model", WORD_LIST)

# Hugging Face's names -> ours, in order; dense weights there are [out, in], ours [in, out].
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
PREFIX = re.compile(r"^(bert|ernie)\.")
DENSE = re.compile(r"(_proj|linear1|linear2|pooler\.dense)\.weight$")
NOT_OF_THE_ENCODER = re.compile(
    "|".join(
        (
            r"^embeddings\.position_ids$",
            r"^embeddings\.token_type_ids$",  # buffers: 0, 1, 2 ... and zeros
            r"^cls\.predictions\.",
            r"^cls\.seq_relationship\.",  # the heads of pre-training
            r"^classifier\.(weight|bias)$",
        )
    )
)  # the head of a cross encoder in PaddleNLP
MAY_BE_MISSING = {"pooler.dense.weight", "pooler.dense.bias"}  # a cross encoder then draws its own
ACTIVATIONS = ("gelu", "relu", "silu", "tanh")
LARGEST = np.finfo(np.float32).max
MODEL_TYPES = ("bert", "ernie")


class Pretrained(NamedTuple):
    """An encoder to start from: its architecture, its weights by our names, and the files of its tokenizer."""

    config: ErnieConfig
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]


def load_pretrained(source: str | Path, or_trained: str = "", **chosen) -> Pretrained:
    """Returns the initial encoder, or the whole of a checkpoint of the class `or_trained`.

    `chosen`: fields of the architecture that override what the source says, where they are not None. Raises DataError
    where the source is not there, cannot be had, or is no such model.
    """
    folder = Path(source)
    config, weights, files = (
        _from_folder(folder, or_trained) if folder.is_dir() else _from_name(str(source))
    )
    _refuse_longer_vocabulary(files, config, source)
    chosen = {name: value for name, value in chosen.items() if value is not None}
    return Pretrained(config._replace(**chosen), weights, files)


def _from_folder(folder: Path, or_trained: str):
    settings = settings_of(folder)
    if (folder / WORD_LIST).is_file():
        refuse_calls(folder / WORD_LIST)
    files = {
        name: (folder / name).read_bytes() for name in TOKENIZER_FILES if (folder / name).is_file()
    }
    if kind := settings.get("model"):  # a checkpoint of ours
        if kind != or_trained:
            expected = f"an encoder or a {or_trained}" if or_trained else "an encoder"
            raise DataError(f"{folder}: expected {expected} to start from, got a trained {kind}")
        return config_of(settings.get("encoder"), str(folder)), read_weights(folder), files
    config = config_of(settings, str(folder))
    return config, encoder_weights(read_weights(folder), config, str(folder)), files


def settings_of(folder: Path) -> dict:
    """Returns the `config.json` of a folder. Raises DataError where there is none that holds an object."""
    file = folder / "config.json"
    if not file.is_file():
        raise DataError(f"{file.parent}: expected a config.json beside the weights, got none")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: expected JSON, got {error}") from error
    if not isinstance(settings, dict):
        raise DataError(f"{file}: expected an object, got {type(settings).__name__}")
    return settings


def config_of(settings: dict, place: str) -> ErnieConfig:
    """Returns the architecture that a `config.json` describes. Raises DataError where it is not an encoder of ours."""
    if not isinstance(settings, dict):
        raise DataError(
            f"{place}: expected an object that describes the encoder, got {type(settings).__name__}"
        )
    told = {name: settings[name] for name in ErnieConfig._fields if name in settings}
    for name, value in told.items():
        kind = type(ErnieConfig._field_defaults[name])
        if (
            type(value) is not kind
            and not (kind is float and type(value) is int)
            or (kind is int and value < 1 or kind is float and not 0 <= value < 1)
        ):
            raise DataError(
                f"{place}: expected {name} to be a sound {kind.__name__}, got {value!r}"
            )
    config = ErnieConfig(**{"layer_norm_eps": 1e-12} | told)
    for fact, sound in {
        f"a model_type among {', '.join(MODEL_TYPES)}": settings.get("model_type", "bert")
        in MODEL_TYPES,
        "absolute positions": settings.get("position_embedding_type", "absolute") == "absolute",
        f"hidden_act among {', '.join(ACTIVATIONS)}": config.hidden_act in ACTIVATIONS,
        "heads that share hidden_size evenly": config.hidden_size % config.num_attention_heads == 0,
        f"a representation among {', '.join(REPRESENTATIONS)}": config.representation
        in REPRESENTATIONS,
        "an epsilon above 0": config.layer_norm_eps > 0,
    }.items():
        if not sound:
            raise DataError(f"{place}: expected {fact}, got a configuration with another")
    return config


def encoder_weights(
    weights: dict[str, np.ndarray], config: ErnieConfig, place: str
) -> dict[str, np.ndarray]:
    """Returns an encoder's weights by our names, float32, all of them and no others.

    Raises DataError with the names of what is missing, unexpected, of another shape or type, or not finite.
    """
    given = len(weights)
    weights = {PREFIX.sub("", name): value for name, value in weights.items()}
    if not any(name.startswith("encoder.layers.") for name in weights):
        weights = from_bert_names(weights)
    if len(weights) < given or config.num_hidden_layers > given:
        raise DataError(
            f"{place}: expected each parameter of {config.num_hidden_layers} layers once, "
            f"got {len(weights)} different ones under {given} names"
        )
    weights = {name: value for name, value in weights.items() if not NOT_OF_THE_ENCODER.match(name)}
    expected = shapes(config)
    missing, unexpected = (
        expected.keys() - weights.keys() - MAY_BE_MISSING,
        weights.keys() - expected.keys(),
    )
    if missing or unexpected:
        raise DataError(
            f"{place}: expected the parameters of the encoder in config.json, got missing "
            f"{sorted(missing)[:5]}, unexpected {sorted(unexpected)[:5]}"
        )
    for name, value in weights.items():
        sound = value.dtype.kind == "f" and np.abs(value).max() <= LARGEST
        if value.shape != expected[name] or not sound:
            raise DataError(
                f"{place}: expected finite floats of shape {list(expected[name])} for {name}, "
                f"got {value.dtype} of {list(value.shape)}{'' if sound else ', not all finite floats'}"
            )
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def from_bert_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns Hugging Face's weights by our names and in our orientation."""
    ours = {}
    for name, value in weights.items():
        for pattern, replacement in BERT_NAMES:
            name = re.sub(pattern, replacement, name)
        ours[name] = value.T if DENSE.search(name) else value
    return ours


def shapes(config: ErnieConfig) -> dict[str, tuple[int, ...]]:
    """Returns every parameter of an encoder with its shape."""
    size, inner = config.hidden_size, config.intermediate_size
    tables = {
        "word": config.vocab_size,
        "position": config.max_position_embeddings,
        "token_type": config.type_vocab_size,
    } | ({"task_type": config.task_type_vocab_size} if config.use_task_id else {})
    found = {f"embeddings.{name}_embeddings.weight": (rows, size) for name, rows in tables.items()}
    dense, norms = {"pooler.dense": (size, size)}, ["embeddings.layer_norm"]
    for layer in (f"encoder.layers.{n}." for n in range(config.num_hidden_layers)):
        dense |= {f"{layer}self_attn.{name}_proj": (size, size) for name in ("q", "k", "v", "out")}
        dense |= {f"{layer}linear1": (size, inner), f"{layer}linear2": (inner, size)}
        norms += [f"{layer}norm1", f"{layer}norm2"]
    for name, shape in dense.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[1:]}
    return found | {f"{norm}.{part}": (size,) for norm in norms for part in ("weight", "bias")}


def _refuse_longer_vocabulary(files: dict[str, bytes], config: ErnieConfig, source) -> None:
    if (words := files.get("vocab.txt", b"").count(b"\n")) > config.vocab_size:
        raise DataError(
            f"{source}: expected a vocab.txt of at most vocab_size {config.vocab_size} words, got {words}"
        )


def _from_name(name: str):
    if Path(name).exists() or name.startswith((".", "/", "~")):
        raise DataError(
            f"INIT={name}: expected a folder with config.json, vocab.txt and weights, "
            f"got {'a file' if Path(name).exists() else 'nothing there'}"
        )
    from paddlenlp.transformers import AutoTokenizer, ErnieModel
    from paddlenlp.transformers import ErnieConfig as Described
    from paddlenlp.utils.download import resolve_file_path
    from paddlenlp.utils.log import logger

    logger.set_level("ERROR")
    url = ErnieModel.pretrained_resource_files_map["model_state"].get(name)
    try:
        config = config_of(Described.from_pretrained(name).to_dict(), name)
        file = Path(
            resolve_file_path(name, [url] if url else ["model.safetensors", "model_state.pdparams"])
        )
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:  # noqa: BLE001  PaddleNLP raises of every kind where a download fails.
        cure = (
            f"Without a network, run `data_prep/ernie_weights.py --model {name}` where there is one, bring the "
            f"folder here and set INIT=FOLDER"
            if url
            else "It lists no such name, and no such folder is here"
        )
        raise DataError(
            f"INIT={name}: expected a folder with config.json, vocab.txt and weights, or a model that "
            f"PaddleNLP can load, got {type(error).__name__}. {cure}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = {
            path.name: path.read_bytes()
            for path in sorted(Path(folder).iterdir())
            if path.is_file()
        }
    return config, encoder_weights(read_file(file), config, name), files
