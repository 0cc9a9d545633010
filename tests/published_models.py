"""Model folders as others publish them, two layers each: for tests of what is taken of them."""

import json
from pathlib import Path

import numpy as np
from bert_fixture import SETTINGS, bert_weights, with_prefix, write_folder

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c dog paris - ##a ##b ##c".split()
WORDS = [*VOCABULARY, *(f"w{i}" for i in range(60 - len(VOCABULARY)))]  # vocab_size of SETTINGS


def write_model(
    folder: Path,
    weights: dict[str, np.ndarray] | None = None,
    words: list[str] = WORDS,
    tokenizer: object = None,
    **settings: object,
) -> Path:
    """Writes a folder of Hugging Face's layout and returns it.

    tokenizer: the content of tokenizer_config.json, where it is not None. settings: further fields
    of config.json.
    """
    folder.mkdir(exist_ok=True)
    write_folder(folder, bert_weights() if weights is None else weights, SETTINGS | settings)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    if tokenizer is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


def with_classifier(labels: int) -> dict[str, np.ndarray]:
    """Returns the weights of a `BertForSequenceClassification`."""
    drawing = np.random.default_rng(8)
    classifier = {
        "classifier.weight": drawing.normal(0, 1, (labels, 16)).astype(np.float32),
        "classifier.bias": drawing.normal(0, 1, labels).astype(np.float32),
    }
    return with_prefix(bert_weights(), "bert.") | classifier


CROSS_ENCODER = {"architectures": ["BertForSequenceClassification"]}


def add_pooling(folder: Path, pooling: dict[str, object], further: tuple[str, ...] = ()) -> Path:
    """Makes a folder one of sentence-transformers, and returns it."""
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    for number, kind in enumerate(("Pooling", *further), 1):
        path = f"{number}_{kind}"
        modules.append({"path": path, "type": f"sentence_transformers.models.{kind}"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    return folder


def tokenizer_json(words: list[str], **normalizer: object) -> dict:
    """Returns the content of a tokenizer.json of Google BERT's WordPiece."""
    options = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    return {
        "version": "1.0",
        "added_tokens": [{"id": 2, "content": "[CLS]", "special": True}],
        "normalizer": options | normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: number for number, word in enumerate(words)},
        },
    }
