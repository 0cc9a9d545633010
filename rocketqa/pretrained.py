"""Initial weights (`INIT`): where they come from, read into our parameter names.

    a folder with `config.json`, `vocab.txt`, `model.safetensors`   BERT in Hugging Face's layout, or our own names
    a folder or name that PaddleNLP knows                           its ErnieModel (ernie-2.0-base-en, ernie-tiny ...)
"""
import json
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.ernie import ErnieConfig
from rocketqa.formats import DataError

TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json")

# Hugging Face's BERT names -> ours, in order; dense weights there are [out, in], ours [in, out].
BERT_NAMES = (
    (r"^bert\.", ""), (r"\.gamma$", ".weight"), (r"\.beta$", ".bias"),
    (r"^embeddings\.LayerNorm\.", "embeddings.layer_norm."),
    (r"^encoder\.layer\.", "encoder.layers."),
    (r"\.attention\.self\.query\.", ".self_attn.q_proj."), (r"\.attention\.self\.key\.", ".self_attn.k_proj."),
    (r"\.attention\.self\.value\.", ".self_attn.v_proj."), (r"\.attention\.output\.dense\.", ".self_attn.out_proj."),
    (r"\.attention\.output\.LayerNorm\.", ".norm1."), (r"\.intermediate\.dense\.", ".linear1."),
    (r"\.output\.dense\.", ".linear2."), (r"\.output\.LayerNorm\.", ".norm2."))
NOT_OF_THE_ENCODER = re.compile(r"^(cls\.|embeddings\.position_ids$)")
DENSE = re.compile(r"(_proj|linear1|linear2|pooler\.dense)\.weight$")


class Pretrained(NamedTuple):
    """An encoder to start from: its architecture, its weights by our names, and the files of its tokenizer."""

    config: ErnieConfig
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]


def load_pretrained(source: str | Path, layer_norm_eps: float | None = None) -> Pretrained:
    """Returns the initial encoder. `layer_norm_eps` overrides what the source says.

    Raises DataError where the source is not there or cannot be had.
    """
    folder = Path(source)
    if (folder / "model.safetensors").is_file():
        config, weights = _from_safetensors(folder)
        files = {name: (folder / name).read_bytes() for name in TOKENIZER_FILES if (folder / name).is_file()}
    else:
        config, weights, files = _from_paddlenlp(str(source))
    return Pretrained(config if layer_norm_eps is None else config._replace(layer_norm_eps=layer_norm_eps),
                      weights, files)


def _config(settings: dict) -> ErnieConfig:
    return ErnieConfig(**{"layer_norm_eps": 1e-12} | {
        name: settings[name] for name in ErnieConfig._fields if name in settings})


def _from_safetensors(folder: Path) -> tuple[ErnieConfig, dict[str, np.ndarray]]:
    from safetensors.numpy import load_file

    if not (folder / "config.json").is_file():
        raise DataError(f"{folder}: expected a config.json beside model.safetensors, got none")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if settings.get("model") in ("DualEncoder", "CrossEncoder"):
        raise DataError(f"{folder}: expected an encoder to start from, got a trained {settings['model']}")
    weights = load_file(folder / "model.safetensors")
    if not any(name.startswith("encoder.layers.") for name in weights):
        weights = from_bert_names(weights)
    return _config(settings), {name: np.asarray(value, np.float32) for name, value in weights.items()}


def from_bert_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns Hugging Face's BERT weights by our names and in our orientation."""
    ours = {}
    for name, value in weights.items():
        for pattern, replacement in BERT_NAMES:
            name = re.sub(pattern, replacement, name)
        if not NOT_OF_THE_ENCODER.match(name):
            ours[name] = np.ascontiguousarray(value.T) if DENSE.search(name) else value
    return ours


def _from_paddlenlp(source: str) -> tuple[ErnieConfig, dict[str, np.ndarray], dict[str, bytes]]:
    from paddlenlp.transformers import AutoTokenizer, ErnieModel
    from paddlenlp.utils.log import logger

    logger.set_level("ERROR")
    try:
        model = ErnieModel.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
    except Exception as error:  # noqa: BLE001  PaddleNLP raises of every kind where a download fails.
        raise DataError(
            f"INIT={source}: expected a folder with config.json, vocab.txt and model.safetensors, or a model that "
            f"PaddleNLP can load, got {type(error).__name__}. Without a network, load it once where there is one "
            f"(`paddlenlp.transformers.AutoModel.from_pretrained(\"{source}\").save_pretrained(FOLDER)`, its tokenizer "
            f"likewise), bring the folder here and set INIT=FOLDER") from error
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return _config(model.config.to_dict()), weights, files
