"""Texts that were tokenised once give the rows that the texts themselves give."""

from pathlib import Path

import numpy as np
import pytest
from toy_files import train_cross, train_dual, write_tiny_flight

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, read_collection, read_queries, write_lines
from rocketqa.text import token_store
from rocketqa.text.token_store import (
    COLLECTION,
    QUERIES,
    TokenStore,
    finish_store,
    open_collection,
    open_queries,
    write_store,
)
from rocketqa.text.tokenizer import TextEncoder, load_text_encoder


def stored(folder: Path, kind: str, source: Path, encoder: TextEncoder) -> TokenStore:
    """Writes the store of a file and opens it."""
    folder.mkdir(exist_ok=True)
    rows = write_store(folder, kind, source, encoder)
    finish_store(folder, kind, rows, encoder)
    return TokenStore(folder, kind, encoder)


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with tiny data files and the stores of its collection and queries."""
    folder = tmp_path_factory.mktemp("store")
    write_tiny_flight(folder)
    encoder = load_text_encoder(folder / "init")
    for kind in (COLLECTION, QUERIES):
        stored(folder / kind, kind, folder / f"{kind}.tsv", encoder)
    return folder


@pytest.fixture(scope="module")
def encoder(flight) -> TextEncoder:
    return load_text_encoder(flight / "init")


def assert_same_rows(found, expected):
    for row, other in zip(found, expected, strict=True):
        assert row.token_ids.tolist() == other.token_ids.tolist()
        assert row.type_ids.tolist() == other.type_ids.tolist()


def test_titles_and_texts_are_kept_apart_in_two_bytes_an_id(tmp_path, encoder):
    write_lines(tmp_path / "c.tsv", ["p1\tt\tw0 w1 w2", "né\t\tw3 unheard", "p3\tt t\tw4"])
    store = stored(tmp_path, COLLECTION, tmp_path / "c.tsv", encoder)
    assert list(store) == ["p1", "né", "p3"]
    assert len(store) == 3
    assert "p2" not in store
    title, text = store["p1"]
    assert title is not None and title.tolist() == [5]
    assert text.tolist() == [6, 7, 8] and text.dtype == np.uint16
    title, text = store["né"]
    assert title is None
    assert text.tolist() == [9, 1]
    assert store.lengths(128).tolist() == [7, 6, 6]
    assert store.lengths(6).tolist() == [6, 6, 6]


def test_a_large_vocabulary_takes_four_bytes_an_id(tmp_path):
    words = [f"x{number}" for number in range(1 << 16)]
    write_lines(tmp_path / "vocab.txt", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])
    write_lines(tmp_path / "q.tsv", ["q1\tx0 x65535"])
    store = stored(tmp_path, QUERIES, tmp_path / "q.tsv", load_text_encoder(tmp_path))
    assert store["q1"].text.dtype == np.uint32
    assert store["q1"].text.tolist() == [4, 65539]


@pytest.mark.parametrize("length", [8, 9, 128])
def test_rows_of_every_length_are_those_of_the_texts(flight, encoder, length):
    passages = list(read_collection(flight / "collection.tsv").values())
    queries = [query.text for query in read_queries(flight / "queries.tsv").values()]
    collection_store = TokenStore(flight / COLLECTION, COLLECTION, encoder)
    query_store = TokenStore(flight / QUERIES, QUERIES, encoder)
    stored_passages = list(collection_store.values())
    stored_queries = list(query_store.values())
    expected_passages = encoder.passages(passages, length)
    expected_queries = encoder.queries(queries, length)
    assert_same_rows(encoder.passages(stored_passages, length), expected_passages)
    assert_same_rows(encoder.queries(stored_queries, length), expected_queries)
    assert_same_rows(
        encoder.pairs(stored_queries, stored_passages, length),
        encoder.pairs(queries, passages, length),
    )
    lengths_of_passages = [len(row.token_ids) for row in expected_passages]
    lengths_of_queries = [len(row.token_ids) for row in expected_queries]
    assert collection_store.lengths(length).tolist() == lengths_of_passages
    assert query_store.lengths(length).tolist() == lengths_of_queries


@pytest.mark.parametrize("train", [train_dual, train_cross])
def test_training_reads_a_store_as_it_reads_the_file(flight, tmp_path, train):
    given = {"devices": 1, "batch_size": 4} if train is train_dual else {}
    stores = {"collection": flight / COLLECTION, "queries": flight / QUERIES}
    train(flight, tmp_path / "texts", **given)
    train(flight, tmp_path / "tokens", **given, **stores)
    from_texts = (tmp_path / "texts" / "model.safetensors").read_bytes()
    from_tokens = (tmp_path / "tokens" / "model.safetensors").read_bytes()
    assert from_tokens == from_texts


def test_a_store_of_another_kind_is_refused(flight, encoder):
    with pytest.raises(
        DataError, match="expected tokens of --queries, got tokens of --collection: give"
    ):
        TokenStore(flight / COLLECTION, QUERIES, encoder)
    with pytest.raises(
        DataError, match="expected a folder that `rocketqa tokenize` has made, got none"
    ):
        TokenStore(flight / "init", COLLECTION, encoder)


def test_a_store_of_another_tokenizer_is_refused(flight, tmp_path):
    other_words = "expected tokens of this vocabulary, got those of another: tokenize it again"
    vocabulary = (flight / "init/vocab.txt").read_text()
    (tmp_path / "vocab.txt").write_text(vocabulary.replace("w7", "another"))
    with pytest.raises(DataError, match=other_words):
        TokenStore(flight / COLLECTION, COLLECTION, load_text_encoder(tmp_path))
    (tmp_path / "vocab.txt").write_text(vocabulary)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    with pytest.raises(DataError, match=other_words):
        TokenStore(flight / COLLECTION, COLLECTION, load_text_encoder(tmp_path))


def test_two_processes_and_several_segments_make_the_store_of_one(
    flight, encoder, tmp_path, monkeypatch
):
    monkeypatch.setattr(token_store, "SEGMENT_ROWS", 7)
    source = flight / "collection.tsv"
    for rank in (1, 0, 1):  # the third finds its segments finished
        rows = write_store(tmp_path, COLLECTION, source, encoder, rank, 2)
    finish_store(tmp_path, COLLECTION, rows, encoder)
    store = TokenStore(tmp_path, COLLECTION, encoder)
    collection = read_collection(source)
    assert rows == 40
    assert list(store) == list(collection)
    expected = encoder.tokens([Passage(*passage) for passage in collection.values()])
    for passage_id, (title, text) in zip(collection, expected):
        found = store[passage_id]
        assert found.text.tolist() == text.tolist()
        if title is None:
            assert found.title is None
        else:
            assert found.title.tolist() == title.tolist()


def test_progress_counts_every_row_once_also_those_that_were_there(
    flight, encoder, tmp_path, monkeypatch
):
    monkeypatch.setattr(token_store, "SEGMENT_ROWS", 7)
    for _ in range(2):
        advanced: list[int] = []
        write_store(tmp_path, QUERIES, flight / "queries.tsv", encoder, advance=advanced.append)
        assert sum(advanced) == 40


def test_queries_of_several_stores_are_read_as_one(flight, encoder, tmp_path):
    write_lines(tmp_path / "more.tsv", ["x1\tw1 w2"])
    stored(tmp_path / "more", QUERIES, tmp_path / "more.tsv", encoder)
    queries = open_queries([flight / QUERIES, tmp_path / "more"], encoder)
    assert len(queries) == 41
    assert list(queries)[-1] == "x1"
    assert queries["x1"].text.tolist() == [7, 8]
    assert (
        queries["q0"].text.tolist()
        == TokenStore(flight / QUERIES, QUERIES, encoder)["q0"].text.tolist()
    )
    with pytest.raises(KeyError):
        queries["x2"]


def test_files_and_stores_of_queries_cannot_be_mixed(flight, encoder):
    with pytest.raises(DataError, match="expected tokens, as of the other queries, got a file"):
        open_queries([flight / QUERIES, flight / "queries.tsv"], encoder)


def test_a_file_is_read_as_texts(flight, encoder):
    collection = open_collection(flight / "collection.tsv", encoder)
    assert isinstance(collection["p1"], Passage)
    queries = open_queries([flight / "queries.tsv"], encoder)
    assert queries["q0"].text == "w0 w0"
