"""Contenders on padded arrays read the token ids of ours, and give vectors in the texts' order."""

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer
from toy_files import write_tiny_flight

from rocketqa.benchmark.padded_rows import INPUTS, round_in_batches, rows_of
from rocketqa.benchmark.workload import (
    ENCODE,
    PAIR_LENGTH,
    PASSAGE_LENGTH,
    SCORE,
    Texts,
    draw_texts,
)
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import load_text_encoder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_flight(folder)
    return folder


@pytest.fixture
def tokenizer(tiny) -> Tokenizer:
    words = str(tiny / "init" / "vocab.txt")
    return Tokenizer.from_str(BertWordPieceTokenizer(words).to_str())


def long_texts(tiny) -> Texts:
    """Returns the toy texts, with one passage that is cut."""
    texts = draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)
    long_passage = Passage("long", "t", texts.passages[0].text * 100)
    return Texts([*texts.passages, long_passage], [*texts.queries, texts.queries[0]])


def test_the_ids_are_those_of_ours(tiny, tokenizer):
    texts = long_texts(tiny)
    encoder = load_text_encoder(tiny / "init")
    ours = {
        ENCODE: encoder.passages(texts.passages, PASSAGE_LENGTH),
        SCORE: encoder.pairs(texts.queries, texts.passages, PAIR_LENGTH),
    }
    for work, rows in ours.items():
        found = rows_of(tokenizer, work, texts)
        assert [row.ids for row in found] == [row.token_ids.tolist() for row in rows]
        assert [row.type_ids for row in found] == [row.type_ids.tolist() for row in rows]


def test_batches_are_padded_longest_first_and_vectors_stand_in_the_order_of_the_texts(
    tiny, tokenizer
):
    texts = long_texts(tiny)
    lengths = []

    def run(batches):
        for batch in batches:
            assert tuple(batch) == INPUTS
            assert (batch["input_ids"][batch["attention_mask"] == 0] == 0).all()
            row_lengths = batch["attention_mask"].sum(axis=1, keepdims=True)
            assert batch["input_ids"].shape[1] == row_lengths.max()
            lengths.extend(row_lengths[:, 0])
            yield row_lengths

    vectors = round_in_batches(lambda batches: list(run(batches)), tokenizer, ENCODE, texts, 8)()
    rows = rows_of(tokenizer, ENCODE, texts)
    assert lengths == sorted(lengths, reverse=True)
    np.testing.assert_array_equal(vectors[:, 0], [len(row) for row in rows])
