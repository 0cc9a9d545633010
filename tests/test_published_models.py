"""Finished models of others are used by the verbs as they are, without a training of 0 epochs."""

import json
from pathlib import Path

import numpy as np
import pytest
from bert_fixture import bert_weights, write_folder
from published_models import (
    CROSS_ENCODER,
    WORDS,
    add_pooling,
    tokenizer_json,
    with_classifier,
    write_model,
)

from rocketqa.cli.__main__ import main
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, write_lines
from rocketqa.files.runs import RunFile
from rocketqa.weights.checkpoint import load_model
from rocketqa.weights.pretrained import load_pretrained

TEXTS = ["a dog", "paris", "w3 w4 w5", "b - c"]


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with four queries, the same texts as passages, labels, and a run."""
    write_lines(tmp_path / "collection.tsv", [f"p{i}\t\t{text}" for i, text in enumerate(TEXTS)])
    write_lines(tmp_path / "queries.tsv", [f"q{i}\t{text}" for i, text in enumerate(TEXTS)])
    lines = [f"q{i}\tQ0\tp{(i + k) % 4}\t{k + 1}\t{-k}\tx" for i in range(4) for k in range(3)]
    write_lines(tmp_path / "a.run", lines)
    write_lines(tmp_path / "examples.tsv", [f"q{i}\tp{i}\t{i % 2}" for i in range(4)])
    return tmp_path


def run(verb: str, folder: Path, output: Path, **flags: object) -> int:
    words = [verb, "--output", str(output)]
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if "queries" not in flags and "collection" not in flags:
        words += ["--collection", str(folder / "collection.tsv")]
    return main(words)


def test_an_encoder_is_encoded_with_and_its_pooling_is_followed(data):
    model = add_pooling(write_model(data / "model"), {"pooling_mode_mean_tokens": True})
    for kind in ("collection", "queries"):
        flags = {kind: data / f"{kind}.tsv", "checkpoint": model, "batch_tokens": 64}
        assert run("encode", data, data / kind, **flags) == 0
    twin, text_encoder = load_model(model, DualEncoder)
    passages = text_encoder.passages([Passage("p", "", text) for text in TEXTS], 128)
    expected = twin.passage_encoder(pack(passages)).numpy()
    shards = sorted((data / "collection").glob("vectors.*.npy"))
    found = np.concatenate([np.load(shard) for shard in shards])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    [queries] = (data / "queries").glob("vectors.*.npy")
    rows = text_encoder.queries(TEXTS, 32)
    np.testing.assert_allclose(
        np.load(queries), twin.query_encoder(pack(rows)).numpy(), rtol=0, atol=1e-5
    )


def test_a_cross_encoder_scores_and_is_trained_on(data, capsys):
    model = write_model(data / "model", with_classifier(1), **CROSS_ENCODER)
    (model / "vocab.txt").unlink()
    (model / "tokenizer.json").write_text(json.dumps(tokenizer_json(WORDS)))
    texts = {"collection": data / "collection.tsv", "queries": data / "queries.tsv"}
    given = texts | {"run": data / "a.run"}
    assert run("score", data, data / "scored.run", checkpoint=model, **given) == 0
    assert "classifier of 1 label are taken" in capsys.readouterr().err
    training = {"batch_size": 2, "learning_rate": 1e-3, "warmup": 0, "decay": "linear"}
    training |= {"weight_decay": 0, "seed": 1, "epochs": 0, "examples": data / "examples.tsv"}
    output = data / "trained"
    assert run("train-cross-encoder", data, output, init=model, **texts, **training) == 0
    assert run("score", data, data / "again.run", checkpoint=output, **given) == 0
    assert (data / "again.run").read_bytes() == (data / "scored.run").read_bytes()
    twin, text_encoder = load_model(model, CrossEncoder)
    for query_id, ranking in RunFile(data / "scored.run").items():
        for scored in ranking:
            passage = Passage("", "", TEXTS[int(scored.passage_id[1:])])
            row = text_encoder.pairs([TEXTS[int(query_id[1:])]], [passage], 160)
            assert scored.score == pytest.approx(twin.probability(pack(row)).item(), abs=1e-5)


@pytest.mark.parametrize(
    "verb, settings, got",
    [
        ("score", {"architectures": ["BertModel"]}, "a cross encoder, got an encoder as others"),
        ("encode", CROSS_ENCODER, "a dual encoder, got a cross encoder as others publish it"),
    ],
)
def test_a_model_of_the_other_kind_is_refused_before_anything_is_made(
    data, capsys, verb, settings, got
):
    model = write_model(data / "model", **settings)
    flags = {"checkpoint": model, "queries": data / "queries.tsv"}
    if verb == "score":
        flags |= {"collection": data / "collection.tsv", "run": data / "a.run"}
    assert run(verb, data, data / "out", **flags) == 2
    assert f"rocketqa {verb}: {model}: expected {got}" in capsys.readouterr().err
    assert not list(data.glob("out*"))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    "count, told",
    [
        (61, "expected a vocab.txt of at most vocab_size 60 words, got 61"),
        (59, "expected a vocab.txt of vocab_size 60 words, got 59: one line is missing"),
    ],
)
def test_a_vocabulary_with_a_line_too_many_or_too_few_is_refused(tmp_path, end, count, told):
    folder = write_folder(tmp_path, bert_weights())
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(count - 4))]
    line_end = end or "\n"
    (folder / "vocab.txt").write_bytes((line_end.join(words) + end).encode())
    with pytest.raises(DataError) as error:
        load_pretrained(folder)
    assert str(error.value).startswith(f"{tmp_path}: {told}")


def test_a_word_that_is_an_added_token_may_be_missing(tmp_path, capsys):
    words = WORDS[:-1]
    folder = write_model(tmp_path / "model", words=words)
    (folder / "added_tokens.json").write_text('{"[DOC]": 59}')
    assert load_pretrained(folder).config.vocab_size == 60
    assert "the added tokens [DOC] are not in vocab.txt" in capsys.readouterr().err
