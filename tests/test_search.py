"""`rocketqa search` prints the answers to a query, or to each line of a pipe."""

import io
import shlex
from pathlib import Path

from ranked_collection import run_verb
from tiny_service import run, search_flags
from toy_files import dual_flags

from rocketqa.cli.__main__ import main
from rocketqa.cli.search import EXAMPLE, build_parser
from rocketqa.files.formats import write_lines
from rocketqa.search.retriever import load_retriever


def retriever(encoded: Path):
    vectors = [encoded / "vectors"]
    return load_retriever(encoded / "dual", encoded / "collection.tsv", vectors, 2**30)


def test_the_verb_prints_rank_score_id_title_and_text(encoded):
    printed = run("search", *search_flags(encoded), "--depth", 2, "w1 w2")
    first, text, second, *_ = printed.splitlines()
    best, other = retriever(encoded).answer("w1 w2", 2)
    assert first == f"1\t{best.score:.6g}\t{best.passage_id}\t{best.title}"
    assert text == f"\t{best.text}"
    assert second.startswith(f"2\t{other.score:.6g}\t{other.passage_id}\t")


def test_piped_lines_are_queries(encoded, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("w1 w2\n\nw3"))
    run_verb("search", *search_flags(encoded))
    printed = capsys.readouterr()
    assert [line[:2] for line in printed.out.splitlines()].count("1\t") == 2
    assert "query>" not in printed.err


def refused(encoded: Path, capsys, *changed: object) -> str:
    """Returns the last line of an unsuccessful search; later flags replace earlier ones."""
    words = ["search", *search_flags(encoded), *changed, "w1"]
    assert main([str(word) for word in words]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_another_collection_or_checkpoint_is_refused(encoded, tmp_path, capsys):
    collection = tmp_path / "collection.tsv"
    write_lines(collection, ["p0\t\tw1 w2"])
    error = refused(encoded, capsys, "--collection", collection)
    assert "expected the collection that" in error
    other = tmp_path / "other"
    flags = dual_flags(encoded, other, 8, epochs=1, **{"max-steps": 1})
    run_verb("train-dual-encoder", *flags)
    assert "expected the checkpoint that" in refused(encoded, capsys, "--checkpoint", other)


def test_what_is_not_there_is_one_line(encoded, tmp_path, capsys):
    error = refused(encoded, capsys, "--passage-vectors", tmp_path, "--query-length", 32)
    assert "expected vectors, got none" in error
    error = refused(encoded, capsys, "--cross-encoder", encoded / "dual")
    assert "expected a CrossEncoder, got DualEncoder" in error


def test_the_example_of_the_help_is_a_command_that_the_parser_takes():
    _, name, *flags = shlex.split(EXAMPLE)
    assert name == "search"
    args = build_parser().parse_args(flags)
    assert (args.query, args.depth) == ("who wrote the first letter", 10)
