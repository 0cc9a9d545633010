"""`rocketqa index` makes an index once, and the searches that open it answer from it."""

import json
import resource
import shlex
import subprocess

import numpy as np
import pytest
from damage import flip
from tiny_service import run, search_flags
from toy_files import ENVIRONMENT, verb
from vectors_fixture import retrieve, write_queries_and_passages, write_vectors

from rocketqa.cli.__main__ import main
from rocketqa.cli.index import EXAMPLE, build_parser


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    write_queries_and_passages(tmp_path)
    return tmp_path


def make_index(folder, *flags, vectors="passages.1", factory="Flat", output="index") -> int:
    words = ["index", "--passage-vectors", folder / vectors, "--output", folder / output]
    return main([str(word) for word in (*words, "--factory", factory, *flags)])


def test_with_an_index_that_loses_nothing_the_run_has_the_bytes_of_the_exact_one(folders, capsys):
    assert make_index(folders, vectors="passages.3") == 0
    found = retrieve(folders, "--index", folders / "index", passages=["passages.3"])
    assert "index: finds 1.0000 of the exact best 100\n" in capsys.readouterr().err
    assert found == retrieve(folders, passages=["passages.3"])
    manifest = json.loads((folders / "a.run.meta.json").read_text())
    assert manifest["job"]["flags"]["index"] is None


def test_the_folder_may_have_the_name_of_the_file_in_it(folders):
    assert make_index(folders, output="index.faiss") == 0
    files = {path.name for path in (folders / "index.faiss").iterdir()}
    assert files == {"index.faiss", "meta.json"}
    assert retrieve(folders, "--index", folders / "index.faiss") == retrieve(folders)


def test_the_overlap_is_measured_once_and_stands_in_both_manifests(folders, capsys):
    flags = ("--parameters", "nprobe=2", "--query-vectors", folders / "queries")
    assert make_index(folders, *flags, factory="IVF8,Flat") == 0
    printed = capsys.readouterr().err
    record = json.loads((folders / "index/meta.json").read_text())
    assert 0.2 < record["overlap"] < 0.95
    assert f"finds {record['overlap']:.4f} of the exact best 100 of 40 queries" in printed
    assert (record["rows"], record["trained_on"], record["overlap_queries"]) == (900, 900, 40)
    retrieve(folders, "--index", folders / "index")
    run_record = json.loads((folders / "a.run.meta.json").read_text())
    assert run_record["overlap"] == record["overlap"]
    assert len(run_record["job"]["inputs"]["index"]) == 1
    wide = retrieve(folders, "--index", folders / "index", "--index-parameters", "nprobe=8")
    assert "finds 1.0000 of the exact best 30\n" in capsys.readouterr().err
    assert wide == retrieve(folders)


def test_a_second_call_makes_nothing_and_another_factory_makes_it_anew(folders, capsys):
    assert make_index(folders) == 0
    before = (folders / "index/index.faiss").stat()
    assert make_index(folders, "--max-memory", "20MB") == 0
    assert capsys.readouterr().err.endswith("index: up to date\n")
    assert (folders / "index/index.faiss").stat() == before
    assert make_index(folders, "--check", factory="HNSW8") == 3
    assert make_index(folders, factory="HNSW8") == 0
    assert json.loads((folders / "index/meta.json").read_text())["job"]["flags"] == {
        "factory": "HNSW8",
        "parameters": "",
        "query_vectors": None,
        "training_vectors": 262144,
        "seed": 1,
    }


def test_a_refusal_leaves_the_index_that_is_there(folders, capsys):
    assert make_index(folders) == 0
    assert make_index(folders, factory="HNSV8") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("rocketqa index: --factory HNSV8: expected an index for these vectors")
    assert make_index(folders) == 0
    assert not (folders / "index.part").exists()


@pytest.mark.parametrize(
    "words", [("index", "--factory", "Flat", "--output", "index"), ("load", "--uri", "m.db")]
)
def test_vectors_that_are_not_there_are_called_a_folder(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--passage-vectors", "gone"]) == 2
    line = f"rocketqa {words[0]}: gone: expected a folder of vectors, got nothing there\n"
    assert capsys.readouterr().err == line
    assert not list(tmp_path.iterdir())


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_no_index(folders, capsys):
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, allowed[1]))
    try:
        status = make_index(folders)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert status == 2 and not (folders / "index").exists()
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"rocketqa index: {folders}: expected larger files to be allowed")
    assert make_index(folders) == 0


def test_a_disk_that_is_full_when_the_file_is_closed_is_one_line(folders, capsys):
    assert make_index(folders) == 0
    size = (folders / "index/index.faiss").stat().st_size
    assert size > 1 << 12
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, allowed[1]))
    try:
        status = make_index(folders, output="again")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert status == 2 and not (folders / "again").exists()
    assert ": expected larger files to be allowed, got " in capsys.readouterr().err


@pytest.mark.parametrize("mib", [250, 400])
def test_without_memory_for_faiss_there_is_one_line_and_no_unfinished_folder(tmp_path, mib):
    vectors = np.random.default_rng(1).standard_normal((20_000, 32))
    write_vectors(tmp_path / "p", [f"p{i}" for i in range(len(vectors))], vectors, checkpoint="m")
    words = ["--passage-vectors", tmp_path / "p", "--factory", "IVF16,Flat"]
    done = subprocess.run(
        verb("index", *words, "--output", tmp_path / "index"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)),
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("rocketqa index: expected more memory, got ")
    assert not list(tmp_path.glob("index*"))


@pytest.mark.parametrize(
    "vectors, line",
    [
        ("twice", "twice: expected each passage once, got 'p' again"),
        ("queries.m", "expected vectors of a collection for --passage-vectors, got vectors of qu"),
    ],
)
def test_vectors_that_cannot_be_searched_are_refused(tmp_path, vectors, line, capsys):
    write_vectors(tmp_path / "twice", ["p", "p"], np.ones((2, 8)))
    write_vectors(tmp_path / "queries.m", ["q"], np.ones((1, 8)), queries="q", checkpoint="m")
    assert make_index(tmp_path, vectors=vectors) == 2
    assert line in capsys.readouterr().err
    assert not list(tmp_path.glob("index*"))


def test_an_index_of_other_vectors_is_refused_and_no_run_is_begun(folders, capsys):
    assert make_index(folders, vectors="passages.3") == 0
    capsys.readouterr()
    assert retrieve(folders, "--index", folders / "index") == 2
    error = capsys.readouterr().err
    assert error == (
        f"rocketqa retrieve: {folders}/index: expected an index of the vectors in "
        f"{folders}/passages.1, in this order, got one of others: make it again with "
        "`rocketqa index`\n"
    )
    assert retrieve(folders, "--index", folders / "none/") == 2
    assert "none: expected the folder of an index, got nothing" in capsys.readouterr().err
    assert not list(folders.glob("a.run*"))


def test_search_answers_from_it_as_without_it(encoded, tmp_path, capsys):
    assert make_index(encoded, vectors="vectors", factory="HNSW8", output=tmp_path / "i") == 0
    flags = [*search_flags(encoded), "--depth", 7]
    expected = run("search", *flags, "w1 w2")
    assert run("search", *flags, "--index", tmp_path / "i", "w1 w2") == expected
    flip(tmp_path / "i/index.faiss")
    words = ["search", *flags, "--index", tmp_path / "i", "w1"]
    assert main([str(word) for word in words]) == 2
    assert "index.faiss: expected the bytes that meta.json lists" in capsys.readouterr().err


def test_the_example_of_the_help_is_a_command_that_the_parser_takes():
    _, verb, *flags = shlex.split(EXAMPLE)
    assert verb == "index"
    assert build_parser().parse_args(flags).parameters == "nprobe=32"
