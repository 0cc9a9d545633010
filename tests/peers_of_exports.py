"""Exported folders as a user of the other libraries opens them; it runs without rocketqa.

    python tests/peers_of_exports.py FOLDER

FOLDER holds `texts.json` (queries; passages as title and text) and the exports `first/` and `mean/`
of dual encoders and `cross/`. Writes `answers.npz`: an array for each library and model.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import AutoTokenizer, BertForSequenceClassification, BertModel


def sentence_transformer(folder: Path, texts: list) -> np.ndarray:
    """Returns vectors, with the folder's own pooling and length."""
    return SentenceTransformer(str(folder), device="cpu").encode(texts)


def bert_model(folder: Path, texts: list, pooling: str) -> np.ndarray:
    """Returns the vector of the first token, or the mean over the tokens."""
    model, unused = BertModel.from_pretrained(
        folder, add_pooling_layer=False, output_loading_info=True
    )
    assert not any(unused.values()), unused
    rows = tokens_of(folder, texts)
    with torch.no_grad():
        hidden = model(**rows).last_hidden_state  # [N, L, H]
    if pooling == "first":
        return hidden[:, 0].numpy()
    mask = rows["attention_mask"].unsqueeze(2)  # [N, L, 1]
    return ((hidden * mask).sum(1) / mask.sum(1)).numpy()


def tokens_of(folder: Path, texts: list) -> dict:
    """Returns texts or pairs of texts as the tokenizer of a folder makes rows of them."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    columns = [texts] if isinstance(texts[0], str) else map(list, zip(*texts))
    return tokenizer(*columns, padding=True, truncation=True, return_tensors="pt")


def main(folder: Path) -> None:
    """Writes what all of them answer."""
    texts = json.loads((folder / "texts.json").read_text())
    queries = texts["queries"]
    passages = [(title or "-", text) for title, text in texts["passages"]]
    answers = {}
    for pooling in ("first", "mean"):
        for name, rows in (("query_encoder", queries), ("passage_encoder", passages)):
            model = f"{pooling}/{name}"
            answers[f"sentence-transformers {model}"] = sentence_transformer(folder / model, rows)
            answers[f"transformers {model}"] = bert_model(folder / model, rows, pooling)
    joined = [f"{title} {text}".strip() for title, text in texts["passages"]]
    pairs = list(zip(queries, joined))
    cross_encoder = CrossEncoder(str(folder / "cross"), device="cpu")
    probabilities = cross_encoder.predict(pairs, apply_softmax=True)
    answers["sentence-transformers cross"] = probabilities[:, 1]
    model = BertForSequenceClassification.from_pretrained(folder / "cross")
    with torch.no_grad():
        logits = model(**tokens_of(folder / "cross", pairs)).logits  # [N, 2]
    answers["transformers cross"] = torch.softmax(logits, 1)[:, 1].numpy()
    np.savez(folder / "answers.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
