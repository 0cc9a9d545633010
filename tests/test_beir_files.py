"""BEIR's scores, texts and judgements are read as BEIR's own loader and trec_eval mean them."""

import pytest
from data_prep_runs import data_prep_module, write

from rocketqa.files.formats import Passage, Qrel

beir_files = data_prep_module("beir_files")


@pytest.mark.parametrize(
    "score, relevance",
    [("1", 1), ("-1", -1), ("2.0", 2), ("0", 0), ("1.5", None), ("score", None), ("", None)],
)
def test_a_score_is_a_whole_relevance(score, relevance):
    assert beir_files.relevance_of(score) == relevance


@pytest.mark.parametrize("header", ["", "query-id\tcorpus-id\tscore\n", "q\td\trelevance\r\n"])
def test_of_a_pair_judged_twice_the_last_relevance_counts_with_or_without_a_header(
    tmp_path, header
):
    rows = "q1\td1\t0\nq1\td2\t1\nq1\td1\t2\n"
    folder = write(tmp_path, test__tsv=header + rows)
    judgements = beir_files.read_judgements(folder / "test.tsv")
    assert judgements.pairs == {("q1", "d1"): 2, ("q1", "d2"): 1}
    assert judgements.notes == {"contradicted judgements left out": 1}


def test_a_query_is_a_passage_by_its_text_its_title_or_both():
    passage = Passage("d1", "A title", "the  Text")
    for query in ("the text", "a TITLE", "a title the text"):
        assert beir_files.is_text_of(query, passage)
    for query in ("text", "the text a title"):
        assert not beir_files.is_text_of(query, passage)


def test_lines_keep_their_characters():
    passage = Passage("d1", "", "「很久」 \u2028")
    assert list(beir_files.corpus_lines([passage])) == [
        '{"_id": "d1", "title": "", "text": "「很久」 \u2028", "metadata": {}}'
    ]
    assert list(beir_files.qrels_lines([Qrel("q1", "d1", -1)])) == [
        "query-id\tcorpus-id\tscore",
        "q1\td1\t-1",
    ]
