"""Builds the encoders that the toy data starts from: small ERNIEs with weights set by construction.

The toy pipeline has no room for pre-training, and from random weights a few hundred labelled
queries teach an encoder nothing that holds for new queries. So the weights get the properties that
any pre-trained encoder has, and none that belong to the task:

- words of one meaning have similar embeddings (RELATEDNESS);
- in the first layer, a token attends to equal tokens, in the first text more than in the second,
  and notes which it found: so the representation of a pair shows which words it shares;
- in the last layer, the first token attends to all tokens equally.

Which words matter, and how much, is left to training. Letters: H hidden size, V vocabulary.
"""

import json
from pathlib import Path

import numpy as np
from numpy.random import Generator

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import generator

WORD_NORM, TYPE_NORM = 2.4, 0.8  # of the embeddings of words and of the two texts
RELATEDNESS = 0.8  # share of their embeddings that words of one meaning have in common
OWN_KIND = 6.0  # attention logit between equal words
FIRST_TEXT = 2.0  # how much more logit a token of the first text gets than one of the second
NOTE = 3.0  # size of the note that a token makes
FIRST_ATTENTION = "encoder.layers.0.self_attn"
LAST_ATTENTION = "encoder.layers.1.self_attn"


def write_initial_encoder(
    folder: Path,
    vocabulary: list[str],
    meanings: list[list[str]],
    hidden_size: int,
    dropout: float,
    seed: int,
) -> None:
    """Writes vocab.txt, config.json and model.safetensors into a folder.

    meanings: groups of words that mean the same.
    """
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
    config_text = json.dumps(config._asdict(), indent=1) + "\n"
    (folder / "config.json").write_text(config_text, encoding="utf-8")
    token_of = {word: token for token, word in enumerate(vocabulary)}
    related = []
    for words in meanings:
        related.append([token_of[word] for word in words])
    save_file(weights_as_if_pretrained(config, related, seed), folder / "model.safetensors")


def weights_as_if_pretrained(
    config: ErnieConfig, related: list[list[int]], seed: int
) -> dict[str, np.ndarray]:
    """Returns the weights of an encoder of two layers by PaddleNLP's names, float32.

    related: groups of tokens whose words mean the same.
    """
    random = generator(seed, "initial encoder")
    weights = initial_weights(config, seed)
    axes = _rotation(random, config.hidden_size)  # [H, H]
    text_axis, note_axis = axes[:2]  # [H] each
    word_axes = axes[2:]  # [H - 2, H]
    words = _word_embeddings(random, config.vocab_size, len(word_axes), related)
    weights["embeddings.word_embeddings.weight"] = words @ word_axes  # [V, H]
    types = weights["embeddings.token_type_embeddings.weight"]
    types[0] = TYPE_NORM * text_axis
    types[1] = -TYPE_NORM * text_axis
    weights |= _comparing_layer(random, config, text_axis, note_axis)
    passed_on = _rotation(random, config.hidden_size)  # [H, H]
    weights[f"{LAST_ATTENTION}.v_proj.weight"] = passed_on
    weights[f"{LAST_ATTENTION}.out_proj.weight"] = passed_on.T
    weights["pooler.dense.weight"] = _rotation(random, config.hidden_size) / 2
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def _word_embeddings(
    random: Generator, count: int, size: int, related: list[list[int]]
) -> np.ndarray:
    """Returns embeddings of norm WORD_NORM [count, size]; those of a group are similar."""
    words = random.normal(size=(count, size))
    for group in related:
        meaning = random.normal(size=size)
        shared = RELATEDNESS**0.5 * meaning
        words[group] = shared + (1 - RELATEDNESS) ** 0.5 * words[group]
    norms = np.linalg.norm(words, axis=1, keepdims=True)  # [count, 1]
    words *= WORD_NORM / norms
    return words


def _rotation(random: Generator, size: int) -> np.ndarray:
    """Returns a random orthogonal matrix [size, size]."""
    matrix = random.normal(size=(size, size))
    return np.linalg.qr(matrix)[0]


def _comparing_layer(
    random: Generator, config: ErnieConfig, text_axis: np.ndarray, note_axis: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the attention weights of the first layer, by PaddleNLP's names.

    A token attends to equal tokens and notes along `note_axis` in which text they stand.
    """
    size = config.hidden_size
    heads = config.num_attention_heads
    per_head = size // heads
    # Layer normalisation of the embeddings stretches them by this factor.
    stretch = size**0.5 / np.hypot(WORD_NORM, TYPE_NORM)
    word_norm = WORD_NORM * stretch
    type_norm = TYPE_NORM * stretch
    along_text = np.outer(text_axis, text_axis)  # [H, H]
    along_note = np.outer(note_axis, note_axis)  # [H, H]
    only_words = np.eye(size) - along_text - along_note
    own_kind = (OWN_KIND * per_head**0.5 * heads) ** 0.5
    query = only_words @ _rotation(random, size) * own_kind / word_norm  # [H, H]
    key = query.copy()
    value = np.zeros((size, size))
    output = np.zeros((size, size))
    query_bias = np.zeros(size)
    # The first dimension of each head is about the text instead of the word.
    for first in range(0, size, per_head):
        key[:, first] += text_axis / (2 * type_norm)
        query_bias[first] = FIRST_TEXT * per_head**0.5
        value[:, first] = text_axis / type_norm
        output[first] = note_axis * NOTE / heads
    return {
        f"{FIRST_ATTENTION}.q_proj.weight": query,
        f"{FIRST_ATTENTION}.q_proj.bias": query_bias,
        f"{FIRST_ATTENTION}.k_proj.weight": key,
        f"{FIRST_ATTENTION}.v_proj.weight": value,
        f"{FIRST_ATTENTION}.out_proj.weight": output,
    }
