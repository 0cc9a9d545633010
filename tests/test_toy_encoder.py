"""The toy's initial encoders know which words are related and compare words, and no more."""

import json

import numpy as np
import pytest
from data_prep_runs import data_prep_module

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.weights.pretrained import load_pretrained

toy_encoder = data_prep_module("toy_encoder")

CONFIG = ErnieConfig(
    vocab_size=40,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=64,
)
RELATED = [[10, 11, 12], [20, 21]]


@pytest.fixture(scope="module")
def weights():
    """The weights of a small encoder."""
    return toy_encoder.weights_as_if_pretrained(CONFIG, RELATED, seed=1)


def test_all_parameters_are_there_with_their_shapes(weights):
    expected = initial_weights(CONFIG, 1)
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert value.shape == expected[name].shape
        assert value.dtype == np.float32


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the cosine of the angle between two vectors."""
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms)


def test_words_of_one_meaning_have_similar_embeddings(weights):
    words = weights["embeddings.word_embeddings.weight"]
    for group in RELATED:
        for word in group[1:]:
            similarity = cosine(words[group[0]], words[word])
            assert similarity > 0.5
    others = [cosine(words[10], words[word]) for word in range(22, 40)]
    assert np.mean(np.abs(others)) < 0.3


def test_embeddings_have_the_same_norm(weights):
    words = weights["embeddings.word_embeddings.weight"]
    norms = np.linalg.norm(words, axis=1)
    expected = np.full(40, toy_encoder.WORD_NORM)
    assert norms == pytest.approx(expected, rel=1e-5)


def first_layer_logits(weights, words: list[int], text: list[int]) -> np.ndarray:
    """Returns the attention logits of the first layer, a mean over heads, without positions."""
    word_embeddings = weights["embeddings.word_embeddings.weight"]
    type_embeddings = weights["embeddings.token_type_embeddings.weight"]
    embeddings = word_embeddings[words] + type_embeddings[text]
    centred = embeddings - embeddings.mean(axis=1, keepdims=True)
    deviations = centred.std(axis=1, keepdims=True)
    inputs = centred / deviations  # [tokens, H]
    name = toy_encoder.FIRST_ATTENTION
    query = inputs @ weights[f"{name}.q_proj.weight"]
    query += weights[f"{name}.q_proj.bias"]
    key = inputs @ weights[f"{name}.k_proj.weight"]
    heads = CONFIG.num_attention_heads
    per_head = CONFIG.hidden_size // heads
    return query @ key.T / per_head**0.5 / heads  # [tokens, tokens]


PAIR = [5, 6, 7, 8, 5, 6, 7, 8]  # four words in the first text and the same in the second
TEXT = [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_token_attends_to_equal_tokens(weights):
    logits = first_layer_logits(weights, PAIR, TEXT)
    for token in range(4):
        equal = logits[token, token + 4]
        others = [logits[token, other + 4] for other in range(4) if other != token]
        assert equal > max(others) + 2


def test_a_token_prefers_the_first_text(weights):
    logits = first_layer_logits(weights, PAIR, TEXT)
    for token in range(8):
        word = token % 4
        in_first = logits[token, word]
        in_second = logits[token, word + 4]
        assert in_first > in_second + 1


def test_the_last_layer_passes_on_what_it_attends_to(weights):
    name = toy_encoder.LAST_ATTENTION
    value = weights[f"{name}.v_proj.weight"]
    output = weights[f"{name}.out_proj.weight"]
    identity = np.eye(CONFIG.hidden_size)
    assert value @ output == pytest.approx(identity, abs=1e-5)


def test_the_folder_can_be_trained_from(tmp_path):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-", "bu", "da", "##wa"]
    meanings = [["bu", "da"]]
    folder = tmp_path / "init"
    toy_encoder.write_initial_encoder(folder, vocabulary, meanings, 32, 0.1, 1)
    encoder = load_pretrained(folder)
    assert encoder.config.vocab_size == 8
    assert encoder.config.hidden_dropout_prob == 0.1
    words = encoder.tokenizer_files["vocab.txt"].decode()
    assert words.split() == vocabulary
    config = json.loads((folder / "config.json").read_text())
    assert config["attention_probs_dropout_prob"] == 0.1
