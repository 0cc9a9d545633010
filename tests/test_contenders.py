"""The contenders of the benchmark do the same work: they encode, score and train on the texts."""

import numpy as np
import pytest
from toy_files import write_tiny_flight

from rocketqa.benchmark import workload
from rocketqa.benchmark.closeness import closeness
from rocketqa.benchmark.contender_products import operations_of
from rocketqa.benchmark.contenders import (
    BFLOAT16,
    CONTENDERS,
    OF_PEERS,
    OURS,
    PRODUCTS,
    contenders_of,
)
from rocketqa.benchmark.workload import ENCODE, PASSAGE_LENGTH, SCORE, TRAIN, WORKS, draw_texts
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.weights.pretrained import load_pretrained


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_flight(folder)
    return folder


@pytest.fixture
def texts(tiny, monkeypatch):
    monkeypatch.setattr(workload, "TRAINING_QUERIES", 8)
    return draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("name", [OURS, PRODUCTS, "padded PaddleNLP"])
def test_a_contender_does_round_after_round_of_each_work(tiny, texts, name, work, request):
    if name == "padded PaddleNLP":
        request.getfixturevalue("paddlenlp")
    do_round = CONTENDERS[name].prepare(work, str(tiny / "init"), texts)
    do_round()
    do_round()


def test_the_plain_loop_computes_the_vectors_that_ours_does(tiny, texts, paddlenlp):
    from rocketqa.benchmark import contender_paddlenlp

    ours = CONTENDERS[OURS].prepare(ENCODE, str(tiny / "init"), texts)()
    assert ours.shape == (32, 16)
    assert np.isfinite(ours).all()
    source = load_pretrained(str(tiny / "init"))
    rows = text_encoder_of(source.tokenizer_files).passages(texts.passages, PASSAGE_LENGTH)
    model = contender_paddlenlp.ernie_model(source)
    model.eval()
    theirs = contender_paddlenlp.first_token_vectors(model, rows).numpy()
    # The epsilon of PaddleNLP's norms is 1e-12, whatever the configuration says.
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    of_round = CONTENDERS["padded PaddleNLP"].prepare(ENCODE, str(tiny / "init"), texts)()
    np.testing.assert_allclose(of_round, theirs, atol=1e-5, rtol=0)


def test_ours_gives_a_probability_for_each_pair(tiny, texts):
    scores = CONTENDERS[OURS].prepare(SCORE, str(tiny / "init"), texts)()
    assert scores.shape == (32,)
    assert ((scores > 0) & (scores < 1)).all()


def test_sentence_transformers_does_each_work_where_it_is_installed(tiny, texts):
    pytest.importorskip("sentence_transformers")
    for work in WORKS:
        CONTENDERS["sentence-transformers float32"].prepare(work, str(tiny / "init"), texts)()


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_peer_encodes_as_ours_and_scores_where_it_is_installed(tiny, texts, name):
    packages = set(OF_PEERS) & set(CONTENDERS[name].needs)
    if not packages:
        pytest.skip("no peer of another environment")
    for package in packages:
        pytest.importorskip(package)
    ours = CONTENDERS[OURS].prepare(ENCODE, str(tiny / "init"), texts)()
    found = closeness(CONTENDERS[name].prepare(ENCODE, str(tiny / "init"), texts)(), ours)
    assert found.mean_cosine > (0.99999 if "float32" in name else 0.95)
    CONTENDERS[name].prepare(SCORE, str(tiny / "init"), texts)()


def test_the_products_have_the_operations_of_the_tokens(tiny, texts):
    source = load_pretrained(str(tiny / "init"))
    rows = text_encoder_of(source.tokenizer_files).passages(texts.passages, PASSAGE_LENGTH)
    tokens = sum(len(row.token_ids) for row in rows)
    layer = 2 * (4 * 16 * 16 + 2 * 16 * source.config.intermediate_size)
    a_token = (source.config.num_hidden_layers - 1) * layer + 4 * 16 * 16
    found = {work: operations_of(work, str(tiny / "init"), texts) for work in WORKS}
    assert found[ENCODE] == tokens * a_token
    assert found[SCORE] > found[ENCODE]  # each pair has a query, too
    assert found[TRAIN] > 3 * found[ENCODE]  # so has each step, and a backward pass


def test_reduced_precision_does_not_train_and_a_missing_library_is_left_out():
    assert contenders_of(TRAIN) == [
        "ours",
        "ours, one thread",
        "matrix products alone",
        "padded PaddleNLP",
        "sentence-transformers float32",
    ]
    assert contenders_of(ENCODE, ["sentence_transformers"]) == [
        "ours",
        "ours, reduced",
        "ours, one thread",
        "matrix products alone",
        "padded PaddleNLP",
    ]
    assert contenders_of(ENCODE, ["nncf", "onnx", BFLOAT16])[5:] == [
        "sentence-transformers float32",
        "OpenVINO float32",
        "OpenVINO default",
    ]
    assert contenders_of(TRAIN, ["sentence_transformers", "paddlenlp"]) == [
        "ours",
        "ours, one thread",
        "matrix products alone",
    ]
    assert contenders_of(SCORE) == list(CONTENDERS)
