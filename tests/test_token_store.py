"""Texts tokenised once are what the verbs make of the texts themselves."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from toy_files import ENVIRONMENT, train_cross, train_dual, verb, write_tiny_flight

from rocketqa.cli import tokenize
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, read_collection, read_queries, write_lines
from rocketqa.text import token_store
from rocketqa.text.token_store import COLLECTION, QUERIES, TokenStore, finish_store, write_store
from rocketqa.text.tokenizer import load_text_encoder


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a tiny flight and the stores of its collection and queries."""
    folder = tmp_path_factory.mktemp("store")
    write_tiny_flight(folder)
    for kind in (COLLECTION, QUERIES):
        assert (
            tokenize.main(
                [
                    "--checkpoint",
                    str(folder / "init"),
                    f"--{kind}",
                    str(folder / f"{kind}.tsv"),
                    "--output",
                    str(folder / kind),
                ]
            )
            == 0
        )
    return folder


def test_titles_and_texts_are_kept_apart_in_two_bytes_an_id(tmp_path, flight):
    write_lines(tmp_path / "c.tsv", ["p1\tt\tw0 w1 w2", "né\t\tw3 unheard", "p3\tt t\tw4"])
    encoder = load_text_encoder(flight / "init")
    finish_store(
        tmp_path,
        COLLECTION,
        write_store(tmp_path, COLLECTION, tmp_path / "c.tsv", encoder),
        encoder,
    )
    store = TokenStore(tmp_path, COLLECTION, encoder)
    assert list(store) == ["p1", "né", "p3"] and len(store) == 3 and "p2" not in store
    title, text = store["p1"]
    assert title.tolist() == [5] and text.tolist() == [6, 7, 8] and text.dtype == np.uint16
    title, text = store["né"]
    assert title is None and text.tolist() == [9, 1]
    assert store.lengths(128).tolist() == [7, 6, 6] and store.lengths(6).tolist() == [6, 6, 6]


def test_rows_of_every_length_are_those_of_the_texts(flight):
    encoder = load_text_encoder(flight / "init")
    collection, queries = (
        read_collection(flight / "collection.tsv"),
        read_queries(flight / "queries.tsv"),
    )
    tokens = [TokenStore(flight / kind, kind, encoder) for kind in (COLLECTION, QUERIES)]
    passages, texts = list(collection.values()), [query.text for query in queries.values()]
    tokens_of_passages, tokens_of_queries = (list(store.values()) for store in tokens)
    for length in (8, 9, 128):
        for made, expected in (
            (encoder.passages(tokens_of_passages, length), encoder.passages(passages, length)),
            (encoder.queries(tokens_of_queries, length), encoder.queries(texts, length)),
            (
                encoder.pairs(tokens_of_queries, tokens_of_passages, length),
                encoder.pairs(texts, passages, length),
            ),
        ):
            for row, other in zip(made, expected, strict=True):
                assert row.token_ids.tolist() == other.token_ids.tolist()
                assert row.type_ids.tolist() == other.type_ids.tolist()
        made = encoder.passages(passages, length)
        assert tokens[0].lengths(length).tolist() == [len(row.token_ids) for row in made]


@pytest.mark.parametrize("train", [train_dual, train_cross])
def test_training_reads_a_store_as_it_reads_the_file(flight, tmp_path, train):
    given = {"devices": 1, "batch_size": 4} if train is train_dual else {}
    train(flight, tmp_path / "texts", **given)
    train(
        flight,
        tmp_path / "tokens",
        **given,
        collection=flight / COLLECTION,
        queries=flight / QUERIES,
    )
    made, expected = (tmp_path / name / "model.safetensors" for name in ("tokens", "texts"))
    assert made.read_bytes() == expected.read_bytes()


def test_a_store_of_another_vocabulary_or_kind_is_refused(flight, tmp_path):
    encoder = load_text_encoder(flight / "init")
    with pytest.raises(DataError, match="expected tokens of queries, got those of collection"):
        TokenStore(flight / COLLECTION, QUERIES, encoder)
    with pytest.raises(
        DataError, match="expected a folder that `rocketqa tokenize` has made, got none"
    ):
        TokenStore(flight / "init", COLLECTION, encoder)
    vocabulary = (flight / "init/vocab.txt").read_text()
    (tmp_path / "vocab.txt").write_text(vocabulary.replace("w7", "another"))
    with pytest.raises(
        DataError, match="expected tokens of this vocabulary, got those of another: tokenize it again"
    ):
        TokenStore(flight / COLLECTION, COLLECTION, load_text_encoder(tmp_path))
    (tmp_path / "vocab.txt").write_text(vocabulary)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    with pytest.raises(
        DataError, match="expected tokens of this vocabulary, got those of another: tokenize it again"
    ):
        TokenStore(flight / COLLECTION, COLLECTION, load_text_encoder(tmp_path))


def test_two_processes_and_chunks_make_the_store_of_one(flight, tmp_path, monkeypatch):
    monkeypatch.setattr(token_store, "SEGMENT_ROWS", 7)
    encoder, source = load_text_encoder(flight / "init"), flight / "collection.tsv"
    for rank in (1, 0, 1):  # the third finds its chunks finished
        rows = write_store(tmp_path, COLLECTION, source, encoder, rank, 2)
    finish_store(tmp_path, COLLECTION, rows, encoder)
    store, collection = TokenStore(tmp_path, COLLECTION, encoder), read_collection(source)
    assert list(store) == list(collection) and rows == 40
    expected = encoder.tokens([Passage(*passage) for passage in collection.values()])
    for passage_id, (title, text) in zip(collection, expected):
        assert store[passage_id].text.tolist() == text.tolist() and (
            store[passage_id].title is None
        ) == (title is None)
        assert title is None or store[passage_id].title.tolist() == title.tolist()


def test_tokenising_that_was_killed_goes_on_to_the_same_bytes(flight, tmp_path):
    write_lines(tmp_path / "c.tsv", (f"p{i}\tt\tw{i % 40} w{i // 40 % 40}" for i in range(300_000)))
    flags = ["--checkpoint", flight / "init", "--collection", tmp_path / "c.tsv", "--output"]
    subprocess.run(
        verb("tokenize", *flags, tmp_path / "straight"),
        check=True,
        env=ENVIRONMENT,
        capture_output=True,
    )
    process = subprocess.Popen(
        verb("tokenize", *flags, tmp_path / "out"), env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    first, deadline = tmp_path / "out.part/ids.00000.ends.npy", time.monotonic() + 60
    while not first.is_file():
        assert process.poll() is None and time.monotonic() < deadline, (
            "ended before it could be killed"
        )
        time.sleep(0.001)
    time.sleep(random.Random(os.environ.get("KILL_SEED", "1")).uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out").exists()
    before = first.stat().st_mtime_ns
    subprocess.run(
        verb("tokenize", *flags, tmp_path / "out"), check=True, env=ENVIRONMENT, capture_output=True
    )
    assert (tmp_path / "out" / first.name).stat().st_mtime_ns == before
    files = {path.name for path in (tmp_path / "straight").iterdir()}
    assert files == {path.name for path in (tmp_path / "out").iterdir()}
    for name in files - {"meta.json"}:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
