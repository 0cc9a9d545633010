"""A search of several rankings answers as `rocketqa fuse` of their runs does."""

import pytest
from data_prep_runs import call
from ranked_collection import run_verb, write_ranked_collection

from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_queries
from rocketqa.files.runs import RunFile
from rocketqa.search.answer import Answer, ScoreKind
from rocketqa.search.page import answer_list
from rocketqa.search.retriever import load_retriever
from rocketqa.search.service import _answer_object


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both encoders, the vectors, a BM25 index, and the fused run of both."""
    folder = tmp_path_factory.mktemp("words")
    write_ranked_collection(folder)
    collection = ("--collection", folder / "collection.tsv")
    run_verb("bm25-index", *collection, "--output", folder / "bm25")
    files = (*collection, "--queries", folder / "queries.tsv", "--depth", 100)
    assert call("bm25.py", *files, "--output", folder / "bm25.run")[0] == 0
    vectors = ["--query-vectors", folder / "queries.vectors"]
    vectors += ["--passage-vectors", folder / "collection.vectors", "--depth", 100]
    run_verb("retrieve", "--output", folder / "dual.run", *vectors)
    runs = ("--runs", folder / "bm25.run", folder / "dual.run", "--weights", 3, 7)
    run_verb("fuse", *runs, "--output", folder / "fused.run")
    return folder


def retriever(folder, vectors=("collection.vectors",), **options):
    folders = [folder / name for name in vectors]
    given = (folder / "dual", folder / "collection.tsv", folders, 2**30)
    return load_retriever(*given, bm25_index=folder / "bm25", bm25_weight=0.3, **options)


def test_answers_are_those_of_the_fused_run_with_both_scores(folder):
    loaded = retriever(folder)
    runs = {name: RunFile(folder / f"{name}.run") for name in ("fused", "bm25", "dual")}
    for query in list(read_queries(folder / "queries.tsv").values())[:8]:
        scores = {name: dict(_scores(run[query.query_id])) for name, run in runs.items()}
        answers = loaded.answer(query.text, 5)
        expected = list(scores["fused"].values())[:5]
        assert [answer.score for answer in answers] == pytest.approx(expected, abs=1e-3)
        for answer in answers:
            passage_id = answer.passage_id
            assert answer.score == pytest.approx(scores["fused"][passage_id], abs=1e-3)
            assert answer.vector_score == pytest.approx(scores["dual"][passage_id], abs=1e-5)
            bm25 = scores["bm25"].get(passage_id)
            assert answer.bm25_score == (None if bm25 is None else pytest.approx(bm25))


def _scores(ranking):
    return [(scored.passage_id, scored.score) for scored in ranking]


def test_the_cross_encoder_re_ranks_the_fused_candidates(folder):
    loaded = retriever(folder, cross_encoder=folder / "cross", rerank_depth=4)
    query = next(iter(read_queries(folder / "queries.tsv").values()))
    found = {answer.passage_id for answer in loaded.answer(query.text, 4)}
    fused = RunFile(folder / "fused.run")[query.query_id]
    assert found == {scored.passage_id for scored in fused[:4]}


def test_a_weight_of_the_cross_encoder_fuses_its_scores_with_those_of_the_retrieval(folder):
    scoring = ("--checkpoint", folder / "cross", "--run", folder / "fused.run", "--depth", 4)
    texts = ("--queries", folder / "queries.tsv", "--collection", folder / "collection.tsv")
    run_verb("score", *scoring, *texts, "--output", folder / "scored.run")
    runs = ("--runs", folder / "fused.run", folder / "scored.run", "--weights", 2, 3)
    run_verb("fuse", *runs, "--depth", 4, "--output", folder / "weighed.run")
    options = {"cross_encoder": folder / "cross", "rerank_depth": 4, "cross_encoder_weight": 0.6}
    loaded = retriever(folder, **options)
    weighed, scored = (RunFile(folder / name) for name in ("weighed.run", "scored.run"))
    for query in list(read_queries(folder / "queries.tsv").values())[:8]:
        expected, relevances = (
            dict(_scores(weighed[query.query_id])),
            _scores(scored[query.query_id]),
        )
        answers = loaded.answer(query.text, 4)
        scores = {answer.passage_id: answer.score for answer in answers}
        assert scores == pytest.approx(expected, abs=2e-2)  # texts of one query alone are scaled
        assert [answer.score for answer in answers] == sorted(scores.values(), reverse=True)
        shown = {answer.passage_id: answer.relevance for answer in answers}
        assert shown == pytest.approx(dict(relevances), abs=1e-5)


def test_a_removed_passage_is_not_found_by_its_words(folder, tmp_path):
    query = next(iter(read_queries(folder / "queries.tsv").values()))
    gone = [answer.passage_id for answer in retriever(folder).answer(query.text, 3)]
    (tmp_path / "gone.txt").write_text("".join(f"{name}\n" for name in gone))
    flags = ("--ids", tmp_path / "gone.txt", "--passage-vectors", folder / "collection.vectors")
    run_verb("remove-passages", *flags, "--output", tmp_path / "removed")
    loaded = retriever(folder, ("collection.vectors", tmp_path / "removed"))
    left = [answer.passage_id for answer in loaded.answer(query.text, 40)]
    assert len(left) == 37 and not set(left) & set(gone)


def test_an_index_of_other_passages_is_refused(folder, tmp_path):
    (tmp_path / "other.tsv").write_text("p1\t\tw1 w2\n")
    run_verb("bm25-index", "--collection", tmp_path / "other.tsv", "--output", tmp_path / "bm25")
    given = (folder / "dual", folder / "collection.tsv", [folder / "collection.vectors"], 2**30)
    with pytest.raises(DataError, match="got one of other passages: make it again with"):
        load_retriever(*given, bm25_index=tmp_path / "bm25")


def test_the_terminal_shows_both_scores(folder, capsys):
    flags = ["--checkpoint", folder / "dual", "--collection", folder / "collection.tsv"]
    flags += ["--passage-vectors", folder / "collection.vectors", "--depth", 1]
    run_verb("search", "w1", *flags, "--bm25-index", folder / "bm25")
    first_line = capsys.readouterr().out.splitlines()[0].split("\t")
    assert first_line[4].startswith("vectors ") and ", BM25 " in first_line[4]
    words = [str(word) for word in ("search", "w1", *flags, "--bm25-weight", ".4")]
    assert main(words) == 2
    assert "--bm25-weight 0.4: expected --bm25-index DIR with it" in capsys.readouterr().err


def test_the_page_and_the_api_show_both_scores():
    answer = Answer("p1", "t", "x", 0.75, 7.5, None)
    fused = ScoreKind(fuses=True)
    page = answer_list([answer], fused)
    assert "fused score 0.75, vectors 7.5, BM25 -, passage" in page
    assert "is made of those that follow it. A dash stands for" in page
    reranked = answer_list([answer], ScoreKind(reranks=True, fuses=True))
    assert "probability of relevance 0.75, vectors 7.5" in reranked
    assert "BM25" not in answer_list([answer], ScoreKind())
    shown = _answer_object(1, answer, fused)
    assert shown["vector_score"] == 7.5 and shown["bm25_score"] is None
    assert "bm25_score" not in _answer_object(1, answer, ScoreKind())


def test_the_page_and_the_api_show_the_relevance_where_it_is_a_part_of_the_score():
    answer = Answer("p1", "t", "x", 0.75, 7.5, None, 0.25)
    weighed = ScoreKind(reranks=True, weighs=True)
    page = answer_list([answer], weighed)
    assert "fused score 0.75, vectors 7.5, relevance 0.25, passage" in page
    assert "Relevance is the probability" in page and "dash" not in page
    shown = _answer_object(1, answer, weighed)
    assert shown["relevance"] == 0.25 and "bm25_score" not in shown
    everything = ScoreKind(reranks=True, fuses=True, weighs=True)
    assert "vectors 7.5, BM25 -, relevance 0.25," in answer_list([answer], everything)
