"""`rocketqa search` prints the answers to a query, or to each line of a pipe."""

import io
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from ranked_collection import run_verb
from tiny_service import run, search_flags
from toy_files import ENVIRONMENT, dual_flags, verb

from rocketqa.cli.__main__ import main
from rocketqa.cli.search import EXAMPLE, build_parser, folders_and_query
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
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"w1 w2\n\nw3")))
    run_verb("search", *search_flags(encoded))
    printed = capsys.readouterr()
    assert [line[:2] for line in printed.out.splitlines()].count("1\t") == 2
    assert "query>" not in printed.err


def test_a_query_may_stand_first_last_or_between_the_flags(encoded):
    *sources, flag, folder = search_flags(encoded)
    vectors = [flag, folder]
    expected = run("search", "w1 w2", *sources, *vectors)
    assert expected.startswith("1\t")
    assert run("search", *sources, *vectors, "w1 w2") == expected
    assert run("search", *sources, *vectors, "--", "w1 w2") == expected
    assert run("search", *vectors, "w1 w2", *sources) == expected
    assert run("search", *vectors, *sources, "w1 w2") == expected


@pytest.fixture
def two_parts(encoded, tmp_path):
    """The folders of a collection that was encoded in two parts."""
    sources = ["--checkpoint", encoded / "dual", "--collection", encoded / "collection.tsv"]
    parts = [tmp_path / "part1", tmp_path / "part2"]
    for number, part in enumerate(parts, 1):
        run("encode", "--output", part, *sources, "--shard", f"{number}/2")
    return parts


def test_several_folders_come_behind_one_flag_or_behind_several(
    encoded, two_parts, capsys, monkeypatch
):
    first, second = two_parts
    *sources, flag, _ = search_flags(encoded)
    expected = run("search", *search_flags(encoded), "w1 w2")
    assert run("search", "w1 w2", *sources, flag, first, second) == expected
    assert run("search", *sources, flag, first, second, "w1 w2") == expected
    assert run("search", *sources, flag, first, flag, second, "w1 w2") == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"w1 w2")))
    assert run("search", *sources, flag, first, second) == expected
    run_error = ["search", *sources, flag, first, "typo", "--depth", "1"]
    assert main([str(word) for word in run_error]) == 2
    assert "expected shards 1/2 to 2/2 of one encoding, got no 2/2" in capsys.readouterr().err


def test_only_the_words_that_name_no_vectors_can_be_the_query(encoded, tmp_path, monkeypatch):
    vectors = str(encoded / "vectors")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    long_query = "w1 " * 2000
    for query in ("data", "who / what?", "a//b/", ".", long_query, "w\udcff"):
        assert folders_and_query([[vectors, query]], None) == ([Path(vectors)], query)
    both = [Path(vectors), Path(vectors)]
    assert folders_and_query([[vectors, vectors]], None) == (both, None)
    assert folders_and_query([["typo"]], None) == ([Path("typo")], None)
    assert folders_and_query([[vectors, "typo"]], "w1") == ([Path(vectors), Path("typo")], "w1")


def test_a_query_without_quotes_is_one_line(encoded, capsys):
    words = ["search", *search_flags(encoded), "who", "wrote", "it"]
    assert main([str(word) for word in words]) == 2
    assert capsys.readouterr().err == (
        "rocketqa search: QUERY: expected one text behind the folders of --passage-vectors, got 3: "
        "who, wrote, it (write a query of several words in quotes)\n"
    )


@pytest.mark.parametrize("words", [[""], [" \t"]])
def test_a_blank_query_is_refused_wherever_it_stands(encoded, words, capsys):
    flags = [str(word) for word in search_flags(encoded)]
    for line in ([*flags, *words], [*words, *flags], [*flags, "--depth", "1", *words]):
        with pytest.raises(SystemExit) as ended:
            main(["search", *line])
        assert ended.value.code == 2 and "QUERY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, line",
    [
        (["--rerank-depth", 5], "--rerank-depth 5: expected --cross-encoder DIR, which re-ranks, "),
        (
            ["--rerank-depth", 5, "--depth", 6, "--cross-encoder", "missing"],
            "--rerank-depth: expected at least --depth 6, got 5",
        ),
    ],
)
def test_a_depth_of_re_ranking_that_cannot_be_is_one_line(encoded, flags, line, capsys):
    words = ["search", *search_flags(encoded), *flags, "w1"]
    assert main([str(word) for word in words]) == 2
    assert capsys.readouterr().err.startswith(f"rocketqa search: {line}")


def search_in_a_process(
    encoded: Path, *further: object, sent: bytes = b"", **environment: str
) -> subprocess.CompletedProcess:
    command = verb("search", *search_flags(encoded), "--depth", 41, *further)
    return subprocess.run(
        command, env=ENVIRONMENT | environment, input=sent, capture_output=True, timeout=100
    )


def test_bytes_that_are_not_utf_8_are_one_line(encoded):
    ended = search_in_a_process(encoded, sent=b"w1\nw\xff\n")
    assert ended.returncode == 2 and ended.stdout.startswith(b"1\t")
    error = b"rocketqa search: standard input:2: expected UTF-8, got byte 0xff at 1\n"
    assert ended.stderr.endswith(error) and b"Traceback" not in ended.stderr
    ended = search_in_a_process(encoded, os.fsdecode(b"w\xff"))
    error = b"rocketqa search: QUERY: expected UTF-8, got byte 0xff at 1\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, b"", error)


NO_UTF_8 = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.fixture(scope="module")
def foreign(encoded, tmp_path_factory):
    """An encoded collection whose passages an ASCII terminal cannot show."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "dual").symlink_to(encoded / "dual")
    write_lines(folder / "collection.tsv", ["p0\tl\u00e9\tw1 \u4e2d"])
    sources = ["--checkpoint", folder / "dual", "--collection", folder / "collection.tsv"]
    run("encode", "--output", folder / "vectors", *sources)
    return folder


@pytest.mark.parametrize("environment", NO_UTF_8)
def test_a_locale_that_is_not_utf_8_shows_the_passage(foreign, environment):
    ended = search_in_a_process(foreign, sent="w\u00e9\n".encode(), **environment)
    assert ended.returncode == 0 and b"Traceback" not in ended.stderr
    in_utf_8 = "\tl\u00e9\n\tw1 \u4e2d\n\n".encode()
    assert ended.stdout.endswith((in_utf_8, b"\tl\\xe9\n\tw1 \\u4e2d\n\n"))
    as_word = search_in_a_process(foreign, "w\u00e9", **environment)
    assert (as_word.returncode, as_word.stdout) == (0, ended.stdout)


def test_a_reader_that_leaves_and_a_closed_input_are_no_traceback(encoded):
    words = shlex.join(verb("search", *search_flags(encoded), "--depth", 41))
    reader_leaves = f"yes w1 | {words} | true; exit ${{PIPESTATUS[1]}}"
    input_closed = f"{words} <&-"
    for line, status in ((reader_leaves, 0), (input_closed, 2)):
        shell = ["bash", "-c", line]
        ended = subprocess.run(shell, env=ENVIRONMENT, capture_output=True, timeout=100)
        assert ended.returncode == status and b"Traceback" not in ended.stderr
    assert b"standard input: expected a query on each line, got a closed" in ended.stderr


def refused(encoded: Path, capsys, *changed: object) -> str:
    """Returns the last line of an unsuccessful search; later flags replace earlier ones."""
    words = ["search", "w1", *search_flags(encoded), *changed]
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
    sources = [str(word) for word in search_flags(encoded)[:-1]]
    assert main(["search", "w1", *sources, str(tmp_path)]) == 2
    assert "expected vectors, got none" in capsys.readouterr().err
    error = refused(encoded, capsys, "--cross-encoder", encoded / "dual")
    assert "expected a cross encoder, got a dual encoder" in error


def test_the_example_of_the_help_is_a_command_that_the_parser_takes():
    _, name, *flags = shlex.split(EXAMPLE)
    assert name == "search"
    args = build_parser().parse_args(flags)
    folders, query = folders_and_query(args.passage_vectors, args.query)
    assert (folders, query) == ([Path("vectors/collection")], "who wrote the first letter")
