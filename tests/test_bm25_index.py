"""A kept BM25 index answers as the run of bm25.py, and only for the collections it is of."""

import json
import shlex

import pytest
from damage import flip
from data_prep_runs import call, write

from rocketqa.cli.__main__ import main
from rocketqa.cli.bm25_index import EXAMPLE, build_parser
from rocketqa.files.errors import DataError
from rocketqa.files.runs import RunFile
from rocketqa.jobs.digests import refuse_damaged
from rocketqa.search.bm25_index import Bm25Index

COLLECTION = (
    "p1\tAaron\tprophet spoke\np2\t\tprophet prophet walked\n"
    "p3\tSinai\tmountain desert\np4\t\tmountain walked\n"
)


@pytest.fixture
def folder(tmp_path):
    """A collection, queries, and passages that were added."""
    return write(
        tmp_path,
        collection__tsv=COLLECTION,
        queries__tsv="q1\tprophet\nq2\taaron prophet walked\nq3\tunheard\n",
        added__tsv="p5\t\ta prophet\np2\t\tmountain\n",
    )


def make(folder, *flags, files=("collection.tsv",)) -> int:
    names = [folder / name for name in files]
    words = ["bm25-index", "--collection", *names, "--output", folder / "index", *flags]
    return main([str(word) for word in words])


def opened(folder, *files, **left_out):
    names = files or ("collection.tsv",)
    ids = {folder / name: left_out.get(name.removesuffix(".tsv"), set()) for name in names}
    return Bm25Index(folder / "index", ids)


def test_the_index_answers_as_the_run(folder):
    assert make(folder, "--k1", "0.82", "--b", "0.68") == 0
    files = ("--collection", folder / "collection.tsv", "--queries", folder / "queries.tsv")
    flags = ("--depth", 3, "--output", folder / "a.run", "--k1", 0.82, "--b", 0.68)
    assert call("bm25.py", *files, *flags)[0] == 0
    run = RunFile(folder / "a.run")
    index = opened(folder)
    for query_id, query in (("q1", "Prophet!"), ("q2", "the Aaron prophet walked")):
        found = [(scored.passage_id, scored.score) for scored in run[query_id]]
        assert index.search(query, 3) == [(name, pytest.approx(score)) for name, score in found]
    assert index.search("unheard", 3) == [] == index.search("!", 3)


def test_equal_scores_at_the_end_are_ranked_by_id(folder):
    write(folder, collection__tsv="".join(f"p{i}\t\tone word\n" for i in range(9, 0, -1)))
    assert make(folder) == 0
    assert [name for name, _ in opened(folder).search("word", 3)] == ["p1", "p2", "p3"]


def test_removed_passages_are_left_out_of_their_own_collection_alone(folder):
    assert make(folder, files=("collection.tsv", "added.tsv")) == 0
    names = ("added.tsv", "collection.tsv")  # in any order
    index = opened(folder, *names, collection={"p2", "p3"})
    assert {name for name, _ in index.search("prophet", 9)} == {"p1", "p5"}
    assert {name for name, _ in index.search("mountain", 9)} == {"p2", "p4"}


def test_chinese_has_bigrams(folder):
    write(folder, collection__tsv="p1\t\t甲城的苹果十分有名。\np2\t\t乙城的桥梁，很长。\n")
    assert make(folder) == 0
    assert json.loads((folder / "index/meta.json").read_text())["terms"] == "bigrams"
    assert [name for name, _ in opened(folder).search("苹果", 9)] == ["p1"]


def test_a_stemmer_finds_other_forms_of_a_word_and_its_bytes_are_always_the_same(folder):
    pytest.importorskip("Stemmer", reason="PyStemmer, of the extra bm25, is not installed")
    assert make(folder, "--stemmer", "english") == 0
    found = opened(folder).search("the prophets were walking", 9)
    assert [name for name, _ in found] == ["p2", "p4", "p1"]
    vocabulary = json.loads((folder / "index/vocab.index.json").read_text())
    assert list(vocabulary)[:3] == ["aaron", "prophet", "spoke"]


def test_a_stemmer_that_is_not_there_is_one_line(folder, capsys):
    pytest.importorskip("Stemmer", reason="PyStemmer, of the extra bm25, is not installed")
    assert make(folder, "--stemmer", "klingon") == 2
    assert "stemmer: expected one of arabic, " in capsys.readouterr().err


def test_a_finished_index_is_kept_and_other_parameters_make_it_anew(folder, capsys):
    assert make(folder) == 0
    assert make(folder) == 0
    assert capsys.readouterr().err.endswith("index: up to date\n")
    assert make(folder, "--b", "0.5", "--check") == 3


def test_an_index_of_other_passages_is_refused(folder):
    assert make(folder) == 0
    for names in (["added.tsv"], ["added.tsv", "collection.tsv"]):
        with pytest.raises(DataError, match="expected a BM25 index of .*got one of other passages"):
            opened(folder, *names)


def test_what_is_no_such_index_is_refused(folder):
    with pytest.raises(DataError, match="got nothing there: make it with `rocketqa bm25-index`$"):
        opened(folder)
    (folder / "index").write_text("")
    with pytest.raises(DataError, match="expected the folder of a BM25 index, got a file"):
        opened(folder)
    (folder / "index").unlink()
    (folder / "index").mkdir()
    with pytest.raises(DataError, match="expected the output of `bm25-index`, got something else"):
        opened(folder)


def test_a_damaged_index_is_refused(folder):
    assert make(folder) == 0
    flip(folder / "index/data.csc.index.npy")
    with pytest.raises(DataError, match="data.csc.index.npy"):
        refuse_damaged(folder / "index")


def test_passages_without_words_are_refused(folder, capsys):
    write(folder, collection__tsv="p1\t\t!\n")
    assert make(folder) == 2
    assert "collection.tsv: expected passages with words, got none" in capsys.readouterr().err


def test_the_example_is_understood():
    build_parser().parse_args(shlex.split(EXAMPLE)[2:])
