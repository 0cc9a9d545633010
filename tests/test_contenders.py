"""The contenders of the benchmark do the same work: they encode, score and train on the texts."""

import numpy as np
import pytest
from toy_files import write_tiny_flight

from rocketqa.benchmark import workload
from rocketqa.benchmark.contenders import CONTENDERS, OURS, contenders_of
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
@pytest.mark.parametrize("name", [OURS, "padded PaddleNLP"])
def test_a_contender_does_round_after_round_of_each_work(tiny, texts, name, work, request):
    if name != OURS:
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


def test_ours_gives_a_probability_for_each_pair(tiny, texts):
    scores = CONTENDERS[OURS].prepare(SCORE, str(tiny / "init"), texts)()
    assert scores.shape == (32,)
    assert ((scores > 0) & (scores < 1)).all()


def test_sentence_transformers_does_each_work_where_it_is_installed(tiny, texts):
    pytest.importorskip("sentence_transformers")
    for work in WORKS:
        CONTENDERS["sentence-transformers float32"].prepare(work, str(tiny / "init"), texts)()


def test_reduced_precision_does_not_train_and_a_missing_library_is_left_out():
    assert contenders_of(TRAIN) == [
        "ours",
        "ours, one thread",
        "padded PaddleNLP",
        "sentence-transformers float32",
    ]
    assert contenders_of(ENCODE, ["sentence_transformers"]) == [
        "ours",
        "ours, reduced",
        "ours, one thread",
        "padded PaddleNLP",
    ]
    assert contenders_of(TRAIN, ["sentence_transformers", "paddlenlp"]) == [
        "ours",
        "ours, one thread",
    ]
    assert contenders_of(SCORE) == list(CONTENDERS)
