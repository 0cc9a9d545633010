"""`rocketqa retrieve`: its flags, its manifest, and what it refuses."""

import json

import numpy as np
import pytest
from vectors_fixture import DEPTH, QUERY_COUNT, retrieve, write_queries_and_passages, write_vectors

from rocketqa.cli.retrieve import EXAMPLE, build_parser


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    write_queries_and_passages(tmp_path)
    return tmp_path


def test_queries_of_another_checkpoint_are_refused(folders, capsys):
    write_vectors(folders / "queries", ["q"], np.ones((1, 24)), queries="q", checkpoint="new")
    write_vectors(folders / "passages.1", ["p"], np.ones((1, 24)), checkpoint="old")
    assert retrieve(folders) == 2
    assert "expected vectors of the dual encoder that encoded" in capsys.readouterr().err


def test_exchanged_vectors_are_refused_and_nothing_is_written(folders, capsys):
    write_vectors(folders / "queries", ["p"], np.ones((1, 24)), checkpoint="m")
    write_vectors(folders / "passages.1", ["q"], np.ones((1, 24)), queries="q", checkpoint="m")
    assert retrieve(folders) == 2
    assert capsys.readouterr().err == (
        f"rocketqa retrieve: {folders}/queries: expected vectors of queries for --query-vectors, "
        "got vectors of a collection: exchange --query-vectors and --passage-vectors\n"
    )
    assert not list(folders.glob("a.run*"))


def test_queries_of_another_size_leave_nothing(folders, capsys):
    write_vectors(folders / "queries", ["q"], np.ones((1, 7)))
    assert retrieve(folders) == 2
    assert f"{folders}/queries: expected vectors of size 24, as in" in capsys.readouterr().err
    assert not list(folders.glob("a.run*"))


def test_the_manifest_names_what_decides_the_run(folders):
    retrieve(folders, "--max-memory", "40KB")
    manifest = json.loads((folders / "a.run.meta.json").read_text())
    assert manifest["rows"] == QUERY_COUNT * DEPTH
    assert manifest["job"]["verb"] == "retrieve"
    assert manifest["job"]["flags"] == {
        "depth": DEPTH,
        "index": None,
        "index_parameters": "",
        "format": "trec",
    }
    assert manifest["job"]["inputs"].keys() == {"query_vectors", "passage_vectors"}


def test_the_manifest_holds_the_overlap_of_an_approximate_index(folders, capsys):
    retrieve(folders, "--index", "Flat")
    manifest = json.loads((folders / "a.run.meta.json").read_text())
    printed = capsys.readouterr().err
    assert f"Flat: finds {manifest['overlap']:.4f} of the exact best {DEPTH}\n" in printed


@pytest.mark.parametrize(
    "value, size",
    [
        ("1GiB", 2**30),
        ("500MB", 500_000_000),
        ("2k", None),
        ("1.5KiB", 1536),
        ("100B", 100),
        ("100", None),
        ("0", None),
        ("1iB", None),
        ("", None),
    ],
)
def test_memory_is_a_number_with_a_unit(value, size):
    command = "--output a --query-vectors b --passage-vectors c --depth 1 --max-memory".split()
    if size is None:
        with pytest.raises(SystemExit):
            build_parser().parse_args([*command, value])
    else:
        assert build_parser().parse_args([*command, value]).max_memory == size


def test_the_example_of_the_help_is_a_command_that_the_parser_takes(capsys):
    _, verb, *flags = EXAMPLE.split()
    assert verb == "retrieve"
    assert build_parser().parse_args(flags).depth == 100
