"""BM25 ranks passages that share rare words with a query first, and retrieves no others."""

import math
import sys

import pytest
from data_prep_runs import call, read, write

from rocketqa.files.runs import RunFile

COLLECTION = (
    "p1\tAaron\tprophet spoke\n"
    "p2\t\tprophet prophet walked\n"
    "p3\tSinai\tmountain desert\n"
    "p4\t\tmountain walked\n"
)


@pytest.fixture
def data(tmp_path):
    """A collection and queries."""
    queries = "q1\tprophet\nq2\taaron prophet\nq3\tunheard\n"
    return write(tmp_path, collection__tsv=COLLECTION, queries__tsv=queries)


def retrieve(data, depth: int, *flags: str) -> tuple[int, str]:
    """Writes bm25.run in a folder; returns the exit status and stderr."""
    files = ("--collection", data / "collection.tsv", "--queries", data / "queries.tsv")
    return call("bm25.py", *files, "--depth", depth, "--output", data / "bm25.run", *flags)


def score(frequency: int, document_frequency: int, length: int) -> float:
    """Returns Lucene's BM25 of one word in a passage of the collection, with k1 0.9 and b 0.4."""
    passages = 4
    mean_length = (3 + 3 + 3 + 2) / passages
    without_word = passages - document_frequency
    rarity = math.log(1 + (without_word + 0.5) / (document_frequency + 0.5))
    normalised_length = 0.9 * (1 - 0.4 + 0.4 * length / mean_length)
    return rarity * frequency / (frequency + normalised_length)


def test_scores_are_those_of_lucenes_formula(data):
    status, _ = retrieve(data, 4)
    assert status == 0
    run = dict(RunFile(data / "bm25.run"))
    scores = {scored.passage_id: scored.score for scored in run["q1"]}
    assert scores.keys() == {"p1", "p2"}
    assert scores["p1"] == pytest.approx(score(1, 2, 3), rel=1e-5)
    assert scores["p2"] == pytest.approx(score(2, 2, 3), rel=1e-5)


def test_a_title_is_part_of_the_passage(data):
    retrieve(data, 4)
    run = dict(RunFile(data / "bm25.run"))
    assert [scored.passage_id for scored in run["q2"]] == ["p1", "p2"]


def test_passages_without_a_word_of_the_query_are_not_retrieved(data):
    retrieve(data, 4)
    assert "q3" not in dict(RunFile(data / "bm25.run"))
    assert "p3" not in read(data, "bm25.run")


def test_no_more_passages_than_the_depth_are_retrieved(data):
    retrieve(data, 1)
    run = dict(RunFile(data / "bm25.run"))
    assert [scored.passage_id for scored in run["q1"]] == ["p2"]


def test_a_finished_run_is_not_made_again(data):
    assert retrieve(data, 2, "--check")[0] == 3
    assert retrieve(data, 2)[0] == 0
    assert retrieve(data, 2)[1].endswith("bm25.run: up to date\n")
    assert retrieve(data, 3, "--check")[0] == 3


def test_a_fault_ends_in_one_line(data):
    write(data, queries__tsv="q1\n")
    status, stderr = retrieve(data, 2)
    assert status == 2
    assert "queries.tsv:1: expected 2 columns, got 1" in stderr
    assert "Traceback" not in stderr


CHINESE = "p1\t\t甲城的苹果十分有名。\np2\t\t乙城的桥梁，很长。\np3\t茶\t丙城有iPhone手机\n"


@pytest.fixture
def chinese(tmp_path):
    """A Chinese collection and Chinese queries."""
    queries = "q1\t什么地方的苹果\nq2\t茶\nq3\tＩＰＨＯＮＥ\nq4\t北京\n"
    return write(tmp_path, collection__tsv=CHINESE, queries__tsv=queries)


def test_chinese_text_is_ranked_by_its_bigrams(chinese):
    # p1 has two bigrams of q1, 的苹 and 苹果, among its 8; p2 and p3 have 5 terms each.
    assert retrieve(chinese, 3)[0] == 0
    run = dict(RunFile(chinese / "bm25.run"))
    found = {query_id: [scored.passage_id for scored in run[query_id]] for query_id in run}
    assert found == {"q1": ["p1"], "q2": ["p3"], "q3": ["p3"]}
    rarity = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    normalised_length = 0.9 * (1 - 0.4 + 0.4 * 8 / 6)
    expected = 2 * rarity / (1 + normalised_length)
    assert run["q1"][0].score == pytest.approx(expected, rel=1e-5)


def test_words_stay_words_where_no_query_is_without_blanks(chinese):
    write(chinese, queries__tsv="q1\tiphone手机 tea\n")
    retrieve(chinese, 3)
    with_bigrams = read(chinese, "bm25.run.meta.json")
    assert '"terms": "bigrams"' in with_bigrams
    write(chinese, queries__tsv="q1\tiphone\n")
    retrieve(chinese, 3)
    assert '"terms"' not in read(chinese, "bm25.run.meta.json")
    assert read(chinese, "bm25.run") == ""  # bm25s has the word 丙城有iphone手机


@pytest.mark.parametrize("text", ["!", "the"])
def test_texts_without_words_give_an_empty_run(tmp_path, text):
    write(tmp_path, collection__tsv=f"p1\t\t{text}\n", queries__tsv=f"q1\t{text}\n")
    assert retrieve(tmp_path, 3)[0] == 0
    assert read(tmp_path, "bm25.run") == ""


def test_the_parameters_belong_to_the_job_unless_they_have_their_defaults(data):
    assert retrieve(data, 4, "--k1", 0.9, "--b", 0.4)[0] == 0
    assert retrieve(data, 4, "--check")[0] == 0
    for name in ('"k1"', '"b"', '"stemmer"'):
        assert name not in read(data, "bm25.run.meta.json")
    assert retrieve(data, 4, "--k1", 0.82, "--check")[0] == 3
    before = read(data, "bm25.run")
    assert retrieve(data, 4, "--k1", 0.82, "--b", 0.68)[0] == 0
    assert '"k1": 0.82' in read(data, "bm25.run.meta.json")
    assert read(data, "bm25.run") != before


def test_a_stemmer_joins_the_forms_of_a_word(data):
    pytest.importorskip("Stemmer", reason="PyStemmer, of the extra bm25, is not installed")
    write(data, queries__tsv="q1\tmountains and prophets\n")
    retrieve(data, 4)
    assert read(data, "bm25.run") == ""
    assert retrieve(data, 4, "--stemmer", "porter")[0] == 0
    found = [scored.passage_id for scored in RunFile(data / "bm25.run")["q1"]]
    assert sorted(found) == ["p1", "p2", "p3", "p4"]


def test_a_stemmer_without_its_package_is_one_line(data, monkeypatch):
    (data / "Stemmer.py").write_text("raise ImportError('gone')\n")
    monkeypatch.syspath_prepend(data)
    monkeypatch.delitem(sys.modules, "Stemmer", raising=False)
    status, stderr = retrieve(data, 4, "--stemmer", "english")
    monkeypatch.delitem(sys.modules, "Stemmer", raising=False)
    assert status == 2
    assert "stemmer english: expected PyStemmer (pip install -e '.[bm25]'" in stderr


def test_without_the_library_one_line_says_how_to_get_it(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)  # Python's mark of a package that is not there
    status, stderr = retrieve(data, 3)
    assert status == 2
    [line] = stderr.splitlines()
    cure = "expected it to be installed (pip install -e '.[bm25]', or set BASELINES=no FUSE=no)"
    assert line.startswith(f"data_prep/bm25.py: package bm25s: {cure}, got ")
    assert not list(data.glob("bm25.run*"))
