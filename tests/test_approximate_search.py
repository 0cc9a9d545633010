"""An approximate index is measured against exact search, and what faiss cannot make is one line."""

import numpy as np
import pytest
from vectors_fixture import DEPTH, QUERY_COUNT, retrieve, write_queries_and_passages, write_vectors

from rocketqa.search.approximate_search import ApproximateSearch, overlap
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    write_queries_and_passages(tmp_path)
    return tmp_path


def passages_by_query(run: bytes) -> set[tuple[bytes, bytes]]:
    pairs = set()
    for line in run.splitlines():
        query_id, _, passage_id, *_ = line.split(b"\t")
        pairs.add((query_id, passage_id))
    return pairs


@pytest.mark.parametrize(
    "factory, parameters", [("Flat", ""), ("HNSW16", ""), ("IVF4,Flat", "nprobe=4")]
)
def test_an_approximate_index_prints_its_overlap_with_exact_search(
    folders, capsys, factory, parameters
):
    run = retrieve(folders, "--index", factory, "--index-parameters", parameters)
    share = float(capsys.readouterr().err.split("finds ")[1].split()[0])
    found = passages_by_query(run)
    exact = passages_by_query(retrieve(folders, output="exact.run"))
    assert share == pytest.approx(len(found & exact) / len(exact), abs=1e-4)
    assert share > 0.5


def test_an_approximate_index_that_finds_too_few_gives_fewer_rows(folders):
    run = retrieve(folders, "--index", "IVF100,Flat")  # it looks at one of 100 lists
    assert 0 < run.count(b"\n") < QUERY_COUNT * DEPTH
    assert b"-1" not in {passage_id for _, passage_id in passages_by_query(run)}


@pytest.mark.parametrize(
    "factory, parameters", [("HNSV32", ""), ("IVF4096,Flat", ""), ("Flat", "nprobs=3")]
)
def test_an_index_that_faiss_cannot_make_is_refused_in_one_line(
    folders, capsys, factory, parameters
):
    assert retrieve(folders, "--index", factory, "--index-parameters", parameters) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("rocketqa retrieve: --index") and "from faiss: " in error


def test_the_vectors_may_be_added_a_block_at_a_time(tmp_path):
    vectors = np.random.default_rng(8).standard_normal((300, 16)).astype(np.float32)
    ids = [f"p{number}" for number in range(300)]
    store = VectorStore([write_vectors(tmp_path, ids, vectors)])
    whole, in_blocks = (
        list(ApproximateSearch(store, "Flat", "", max_memory).search(vectors[:5], 7))
        for max_memory in (2**30, 50 * 8 * 16)
    )
    assert in_blocks == whole


def test_the_overlap_counts_the_exact_passages_that_are_found(tmp_path):
    ids = ["a", "b", "c", "d"]
    axes = np.eye(4, dtype=np.float32)
    scores = np.diag([4.0, 3.0, 2.0, 1.0]).astype(np.float32)
    exact = ExactSearch(VectorStore([write_vectors(tmp_path / "exact", ids, scores)]), 2**30)
    other_ids = ["a", "x", "c", "y"]
    other = VectorStore([write_vectors(tmp_path / "other", other_ids, scores)])
    approximate = ApproximateSearch(other, "Flat", "", 2**30)
    assert overlap(approximate, exact, axes[:1] + axes[1:2], 2) == 0.5  # a and b; a and x
