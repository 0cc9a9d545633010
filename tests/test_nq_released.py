"""Natural Questions' files can be built from the released RocketQA corpus, with its own ids."""

import pytest
from data_prep_runs import read, write
from dpr_fixture import build_nq


@pytest.fixture
def corpus(tmp_path):
    """The released corpus without a dev split and without judgements."""
    return write(
        tmp_path / "from",
        para__txt="0\tAaron is a prophet\n1\tGod at Sinai\n",
        para__title__txt="0\tAaron\n1\tSinai\n",
        train__query__txt="0\twho is he\n",
        test__query__txt="0\twhere\n",
        test__answers__txt="0\tSinai\tat Sinai\n",
        train__answers__txt="0\tAaron\n",
    )


def test_the_released_corpus_has_its_own_ids_and_answers(corpus, tmp_path):
    assert build_nq(corpus, "--source", "released")[0] == 0
    out = tmp_path / "out"
    assert read(out, "collection.tsv") == "0\tAaron\tAaron is a prophet\n1\tSinai\tGod at Sinai\n"
    assert read(out, "answers.test.tsv") == "0\tSinai\tat Sinai\n"
    assert read(out, "queries.train.tsv") == "0\twho is he\n"


def test_dev_and_judgements_are_made_where_the_corpus_has_them(corpus, tmp_path):
    build_nq(corpus, "--source", "released")
    assert not (tmp_path / "out/queries.dev.tsv").exists()
    assert not (tmp_path / "out/qrels.train.tsv").exists()
    write(corpus, dev__query__txt="5\twho\n", qrels__train__tsv="0\t1\n")
    assert build_nq(corpus, "--source", "released")[0] == 0
    assert read(tmp_path / "out", "queries.dev.tsv") == "5\twho\n"
    assert read(tmp_path / "out", "qrels.train.tsv") == "0\t0\t1\t1\n"


def test_the_test_split_must_be_there(corpus):
    (corpus / "test.answers.txt").unlink()
    status, stderr = build_nq(corpus, "--source", "released")
    assert status == 2
    assert "test.answers.txt: expected a file, got nothing there" in stderr


@pytest.mark.parametrize(
    "name, content, line",
    [
        (
            "train.query.txt",
            "0\twho\n0\twhere\n",
            "train.query.txt:2: expected each id once, got that of line 1 again",
        ),
        (
            "test.answers.txt",
            "0\tSinai\n1\t \n",
            "test.answers.txt:2: expected at least one answer, got none",
        ),
    ],
)
def test_a_fault_of_the_corpus_ends_in_one_line(corpus, name, content, line):
    write(corpus, **{name.replace(".", "__"): content})
    status, stderr = build_nq(corpus, "--source", "released")
    assert status == 2
    assert line in stderr.splitlines()[-1]
