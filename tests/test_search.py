"""A query is answered from an encoded collection as `retrieve` and `score` would, with title and text."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from toy_files import cross_flags, dual_flags, write_tiny_flight

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.runs import RunFile
from rocketqa.search.retriever import load_retriever


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with both encoders, the encoded collection and the runs of its queries."""
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder)
    run("train-dual-encoder", *dual_flags(folder, folder / "dual", 8, epochs=0))
    run("train-cross-encoder", *cross_flags(folder, folder / "cross", epochs=1))
    for name, flag in (("queries", "--queries"), ("collection", "--collection")):
        run(
            "encode",
            "--output",
            folder / f"{name}.vectors",
            "--checkpoint",
            folder / "dual",
            flag,
            folder / f"{name}.tsv",
        )
    run(
        "retrieve",
        "--output",
        folder / "retrieved.run",
        "--query-vectors",
        folder / "queries.vectors",
        "--passage-vectors",
        folder / "collection.vectors",
        "--depth",
        5,
    )
    run(
        "score",
        "--output",
        folder / "scored.run",
        "--run",
        folder / "retrieved.run",
        "--checkpoint",
        folder / "cross",
        "--queries",
        folder / "queries.tsv",
        "--collection",
        folder / "collection.tsv",
    )
    return folder


def retriever(flight: Path, cross: str | None = None):
    return load_retriever(
        flight / "dual",
        flight / "collection.tsv",
        [flight / "collection.vectors"],
        2**30,
        flight / cross if cross else None,
    )


@pytest.mark.parametrize("cross, file", [(None, "retrieved.run"), ("cross", "scored.run")])
def test_answers_are_those_of_the_verbs(flight, cross, file):
    asked, expected = retriever(flight, cross), RunFile(flight / file)
    collection = read_collection(flight / "collection.tsv")
    for query in read_queries(flight / "queries.tsv").values():
        answers = asked.answer(query.text, 5)
        assert [answer[:3] for answer in answers] == [
            tuple(collection[scored.passage_id]) for scored in expected[query.query_id]
        ]
        assert [answer.score for answer in answers] == pytest.approx(
            [scored.score for scored in expected[query.query_id]], abs=1e-5
        )


def test_threads_share_a_retriever(flight):
    asked, queries = (
        retriever(flight, "cross"),
        [query.text for query in read_queries(flight / "queries.tsv").values()],
    )
    alone = [asked.answer(query, 3) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: asked.answer(query, 3), queries)) == alone


def flags(flight: Path, **changed: object) -> list[str]:
    given = {
        "checkpoint": flight / "dual",
        "collection": flight / "collection.tsv",
        "passage-vectors": flight / "collection.vectors",
        "depth": 2,
    } | changed
    return [str(word) for name, value in given.items() for word in (f"--{name}", value)]


def test_the_verb_prints_rank_score_id_title_and_text(flight, capsys):
    run("search", *flags(flight), "w1 w2")
    first, text, second, *_ = capsys.readouterr().out.splitlines()
    best, other = retriever(flight).answer("w1 w2", 2)
    assert (
        first == f"1\t{best.score:.6g}\t{best.passage_id}\t{best.title}"
        and text == f"\t{best.text}"
    )
    assert second.startswith(f"2\t{other.score:.6g}\t{other.passage_id}\t")


def test_piped_lines_are_queries(flight, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("w1 w2\n\nw3"))
    run("search", *flags(flight))
    printed = capsys.readouterr()
    assert [line[:2] for line in printed.out.splitlines()].count(
        "1\t"
    ) == 2 and "query>" not in printed.err


def test_an_empty_query_has_no_answers(flight):
    assert retriever(flight).answer("  ", 5) == []


def refused(flight: Path, capsys, **changed: object) -> str:
    assert main(["search", *flags(flight, **changed), "w1"]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_another_collection_or_checkpoint_is_refused(flight, tmp_path, capsys):
    write_lines(tmp_path / "collection.tsv", ["p0\t\tw1 w2"])
    assert "expected the collection that" in refused(
        flight, capsys, collection=tmp_path / "collection.tsv"
    )
    run(
        "train-dual-encoder",
        *dual_flags(flight, tmp_path / "other", 8, epochs=1, **{"max-steps": 1}),
    )
    assert "expected the checkpoint that" in refused(flight, capsys, checkpoint=tmp_path / "other")


def test_what_is_not_there_is_one_line(flight, tmp_path, capsys):
    assert "expected vectors, got none" in refused(flight, capsys, **{"passage-vectors": tmp_path})
    assert "expected a CrossEncoder, got DualEncoder" in refused(
        flight, capsys, **{"cross-encoder": flight / "dual"}
    )
