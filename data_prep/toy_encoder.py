"""The encoders that the toy flight starts from: small ERNIEs whose weights are set to what pre-training gives.

No pre-training fits into the toy flight, and from noise a few hundred labelled queries teach an encoder nothing that
holds for new ones. So the weights have in them, by construction, what is found in any pre-trained encoder, and nothing
of the task: words of one meaning begin near each other (RELATEDNESS); tokens of the first layer look at their own kind,
rather in the first text than in the second, and note what they found (so a pair shows which words it shares); the last
layer's first token listens to all tokens alike. Which words matter, and how much, is left to learn.
"""

import json
from pathlib import Path

import numpy as np

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import initial_weights
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import generator

WORD_NORM, TYPE_NORM = 2.4, 0.8
RELATEDNESS = 0.8  # share of their first embeddings that words of one meaning have in common
OWN_KIND = 6.0  # attention logit between equal words
FIRST_TEXT = 2.0  # what a token of the first text has over one of the second
NOTE = 3.0  # size of what is noted


def write_initial_encoder(
    folder: Path,
    vocabulary: list[str],
    meanings: list[list[str]],
    hidden_size: int,
    dropout: float,
    seed: int,
) -> None:
    """Writes vocab.txt, config.json and model.safetensors. `meanings` are the groups of related words."""
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    write_lines(folder / "vocab.txt", vocabulary)
    config = ErnieConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    (folder / "config.json").write_text(
        json.dumps(config._asdict(), indent=1) + "\n", encoding="utf-8"
    )
    related = [[vocabulary.index(word) for word in words] for words in meanings]
    save_file(weights_as_if_pretrained(config, related, seed), folder / "model.safetensors")


def weights_as_if_pretrained(
    config: ErnieConfig, related: list[list[int]], seed: int
) -> dict[str, np.ndarray]:
    """Returns the weights of two layers by PaddleNLP's names, float32."""
    drawing = generator(seed, "initial encoder")
    weights = initial_weights(config, seed)
    axes = _rotation(drawing, config.hidden_size)
    text_axis, note_axis, word_axes = axes[0], axes[1], axes[2:]
    words = drawing.normal(size=(config.vocab_size, len(word_axes)))
    for group in related:
        meaning = drawing.normal(size=len(word_axes))
        words[group] = RELATEDNESS**0.5 * meaning + (1 - RELATEDNESS) ** 0.5 * words[group]
    words *= WORD_NORM / np.linalg.norm(words, axis=1, keepdims=True)
    weights["embeddings.word_embeddings.weight"] = words @ word_axes
    types = weights["embeddings.token_type_embeddings.weight"]
    types[:2] = TYPE_NORM * text_axis, -TYPE_NORM * text_axis
    weights |= _comparing_layer(drawing, config, text_axis, note_axis)
    passed_on = _rotation(drawing, config.hidden_size)
    weights["encoder.layers.1.self_attn.v_proj.weight"] = passed_on
    weights["encoder.layers.1.self_attn.out_proj.weight"] = passed_on.T
    weights["pooler.dense.weight"] = _rotation(drawing, config.hidden_size) / 2
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def _rotation(drawing: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(drawing.normal(size=(size, size)))[0]


def _comparing_layer(drawing, config: ErnieConfig, text_axis, note_axis) -> dict[str, np.ndarray]:
    """Returns the first layer's attention: look at your own kind, note along `note_axis` in which text it stands."""
    size, heads = config.hidden_size, config.num_attention_heads
    per_head = size // heads
    after_norm = size**0.5 / np.hypot(
        WORD_NORM, TYPE_NORM
    )  # the embeddings' norm stretches them by this
    word_norm, type_norm = WORD_NORM * after_norm, TYPE_NORM * after_norm
    only_words = np.eye(size) - np.outer(text_axis, text_axis) - np.outer(note_axis, note_axis)
    q = (
        only_words
        @ _rotation(drawing, size)
        * (OWN_KIND * per_head**0.5 * heads) ** 0.5
        / word_norm
    )
    k, v, out, q_bias = q.copy(), np.zeros((size, size)), np.zeros((size, size)), np.zeros(size)
    for first in range(
        0, size, per_head
    ):  # one dimension of each head speaks of the text instead of the word
        k[:, first] += text_axis / (2 * type_norm)
        q_bias[first] = FIRST_TEXT * per_head**0.5
        v[:, first] = text_axis / type_norm
        out[first] = note_axis * NOTE / heads
    return {
        f"encoder.layers.0.self_attn.{name}": value
        for name, value in {
            "q_proj.weight": q,
            "q_proj.bias": q_bias,
            "k_proj.weight": k,
            "v_proj.weight": v,
            "out_proj.weight": out,
        }.items()
    }
