"""`rocketqa load` loads an encoding into Milvus, and searches answer from it as without it."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
from tiny_service import run, search_flags
from toy_files import ENVIRONMENT, verb
from vectors_fixture import retrieve, write_encoding, write_queries_and_passages, write_vectors

from rocketqa.cli.__main__ import main
from rocketqa.cli.load import EXAMPLE, build_parser

needs_milvus = pytest.mark.skipif(
    "not __import__('importlib.util').util.find_spec('milvus_lite')",
    reason="milvus-lite is missing (the extra `milvus`)",
)


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    write_queries_and_passages(tmp_path)
    return tmp_path


def load(folder, *flags, vectors=("passages.3",), uri="m.db") -> int:
    names = [folder / name for name in vectors]
    words = ["load", "--uri", folder / uri, "--passage-vectors", *names, *flags]
    return main([str(word) for word in words])


@needs_milvus
def test_with_flat_the_run_has_the_bytes_of_the_exact_one(folders, capsys):
    assert load(folders) == 0
    line = f"{folders}/m.db rocketqa: 900 vectors; finds 1.0000 of the exact best 100 of 100 passag"
    assert line in capsys.readouterr().err
    found = retrieve(folders, "--uri", folders / "m.db", passages=["passages.3"])
    assert "m.db rocketqa: finds 1.0000 of the exact best 100\n" in capsys.readouterr().err
    assert found == retrieve(folders, passages=["passages.3"])
    assert load(folders) == 0
    assert capsys.readouterr().err.endswith("m.db rocketqa: up to date\n")


@needs_milvus
def test_the_overlap_is_measured_once_and_again_with_other_parameters(folders, capsys):
    flags = ("--index-type", "ivf_flat", "--build-parameters", "nlist=16")
    queries = ("--query-vectors", folders / "queries")
    assert load(folders, *flags, "--parameters", "nprobe=1", *queries) == 0
    printed = capsys.readouterr().err
    assert "of the exact best 100 of 40 queries\n" in printed
    share = float(printed.split("finds ")[1].split()[0])
    assert 0.05 < share < 0.95
    narrow = retrieve(folders, "--uri", folders / "m.db", passages=["passages.3"])
    assert f"finds {share:.4f} of the exact best 100\n" in capsys.readouterr().err
    manifest = json.loads((folders / "a.run.meta.json").read_text())
    index = {"type": "IVF_FLAT", "build": {"nlist": 16}, "search": {"nprobe": 1}}
    assert manifest["job"]["flags"]["milvus"] == index
    wide = retrieve(
        *(folders, "--uri", folders / "m.db", "--index-parameters", "nprobe=16"),
        passages=["passages.3"],
    )
    assert "finds 1.0000 of the exact best 30\n" in capsys.readouterr().err
    exact = retrieve(folders, passages=["passages.3"])
    assert wide == exact and narrow != exact
    assert load(folders, "--index-type", "HNSW") == 0  # nothing but the index is made anew
    assert "load: 100%" not in capsys.readouterr().err


@needs_milvus
def test_added_and_removed_passages_are_followed(tmp_path, capsys):
    """A passage that has changed has its new vector, and nothing is loaded twice."""
    axes = np.eye(4)
    write_encoding(tmp_path / "first", ["a", "b", "c"], axes[:3], "one")
    write_vectors(
        tmp_path / "queries", ["q"], np.array([[4, 3, 2, 1]]), queries="q", checkpoint="m"
    )
    assert load(tmp_path, vectors=["first"]) == 0
    (tmp_path / "gone.txt").write_text("b\nc\n")
    words = ["remove-passages", "--passage-vectors", tmp_path / "first", "--ids"]
    run(*words, tmp_path / "gone.txt", "--output", tmp_path / "gone")
    write_encoding(tmp_path / "second", ["b", "d"], axes[[3, 1]], "two")
    all_folders = ["first", "second", "gone"]
    capsys.readouterr()
    assert retrieve(tmp_path, "--uri", tmp_path / "m.db", passages=all_folders) == 2
    assert "expected all vectors, got those of 1 file so far: go on with" in capsys.readouterr().err
    assert load(tmp_path, vectors=all_folders) == 0
    assert "3 vectors; finds 1.0000" in capsys.readouterr().err
    lines = retrieve(tmp_path, "--uri", tmp_path / "m.db", passages=all_folders).splitlines()
    found = [(line.split()[2], float(line.split()[4])) for line in lines]
    assert found == [(b"a", 4.0), (b"d", 3.0), (b"b", 1.0)]
    assert load(tmp_path, vectors=["first"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        f"rocketqa load: {tmp_path}/m.db rocketqa: expected a collection of the vectors in "
        f"{tmp_path}/first, got one of others: drop it, or name another with --milvus-collection"
    )
    assert retrieve(tmp_path, "--uri", tmp_path / "m.db", passages=all_folders[::-1])


@needs_milvus
def test_after_a_kill_loading_goes_on_and_nothing_is_there_twice(folders):
    words = ["load", "--uri", folders / "m.db", "--passage-vectors", folders / "passages.8"]
    command = verb(*words)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_IN_LOADING, *command[command.index("load") :]],
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
    )
    assert process.wait() == -9
    assert load(folders, vectors=["passages.8"]) == 0
    found = retrieve(folders, "--uri", folders / "m.db", passages=["passages.8"])
    assert found == retrieve(folders, passages=["passages.8"])


# The process kills itself in the middle of the third file, when half of it has been sent.
KILLED_IN_LOADING = """
import os, signal, sys
from rocketqa.cli.__main__ import main
from rocketqa.search import milvus_loading

send = milvus_loading._send
calls = []

def send_and_die(*args):
    send(*args)
    calls.append(args)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

milvus_loading._send = send_and_die
milvus_loading.BYTES_AT_ONCE = 4 * 24 * 60
main(sys.argv[1:])
"""


@needs_milvus
def test_search_answers_from_it_as_without_it(encoded, tmp_path):
    flags = search_flags(encoded)
    words = ["load", "--uri", tmp_path / "m.db", "--passage-vectors", encoded / "vectors"]
    run(*words, "--milvus-collection", "passages")
    expected = run("search", *flags, "--depth", 7, "w1 w2")
    milvus = ["--uri", tmp_path / "m.db", "--milvus-collection", "passages"]
    assert run("search", *flags, "--depth", 7, *milvus, "w1 w2") == expected


@pytest.mark.parametrize(
    "flags, line",
    [
        (["--uri", "http://u:secret@h:1"], "--uri: expected no password, which belongs into the"),
        (["--uri", "h:19530"], "--uri: expected a name that ends in .db, or http://HOST:PORT"),
        (["--uri", "a.db", "--parameters", "nprobe"], "--parameters: expected NAME=VALUE,NAME=VAL"),
        (["--uri", "a.db", "--index-type", "a;b"], "--index-type: expected a type such as FLAT"),
    ],
)
def test_flags_that_mean_nothing_are_one_line_without_a_password(flags, line, capsys):
    with pytest.raises(SystemExit, match="2"):
        build_parser().parse_args(["--passage-vectors", "v", *flags])
    error = capsys.readouterr().err
    assert error.startswith(f"rocketqa load: {line}") and "secret" not in error


def test_the_example_of_the_help_is_a_command_that_the_parser_takes():
    _, name, *flags = shlex.split(EXAMPLE)
    assert name == "load"
    assert build_parser().parse_args(flags).index_type == "FLAT"
