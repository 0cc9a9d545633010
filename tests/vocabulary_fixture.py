"""Vocabularies of a few words for tests of tokenizers."""

import json
from pathlib import Path

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the capital of france is paris cafe "
    "un ##afford ##able a ##a sep 法 国 , - ? [ ] $ 5 £5 €5 £ €"
).split()


def write_tokenizer(folder: Path, words: list[str], **settings: object) -> Path:
    """Writes a vocabulary, and settings where there are some, and returns the folder."""
    lines = [f"{word}\n" for word in words]
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf-8")
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
