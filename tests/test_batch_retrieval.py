"""The run is the same for any shards, blocks and threads, and also after a kill."""

import os

import pytest
from damage import DAMAGES
from vectors_fixture import DEPTH, QUERY_COUNT, retrieve, write_queries_and_passages

from rocketqa.jobs.pieces import NOTES
from rocketqa.search import batch_retrieval
from rocketqa.search.batch_retrieval import retrieve_run
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    write_queries_and_passages(tmp_path)
    return tmp_path


def test_the_run_is_the_same_for_any_shards_blocks_and_threads(folders, monkeypatch):
    expected = retrieve(folders)
    assert expected.count(b"\n") == QUERY_COUNT * DEPTH
    for shards in (1, 3, 8):
        for memory in ("1GiB", "9KB", "40KB"):
            for threads in ("1", "3"):
                monkeypatch.setenv("OMP_NUM_THREADS", threads)
                run = retrieve(folders, "--max-memory", memory, passages=[f"passages.{shards}"])
                assert run == expected


def test_the_run_is_the_same_for_any_segments(folders, monkeypatch):
    expected = retrieve(folders)
    for queries in (1, 7, QUERY_COUNT):
        monkeypatch.setattr(batch_retrieval, "SEGMENT_QUERIES", queries)
        assert retrieve(folders) == expected


def test_a_killed_retrieval_goes_on_to_the_same_bytes(folders, monkeypatch):
    expected = retrieve(folders)
    (folders / "a.run").unlink()
    monkeypatch.setattr(batch_retrieval, "SEGMENT_QUERIES", 15)
    replace = os.replace
    made = []

    def note(target):
        if target.parent.name != NOTES:
            made.append(target.name)

    def die_at_the_second_segment(source, target):
        note(target)
        if "segment-000001" in made:
            raise KeyboardInterrupt
        replace(source, target)

    def note_and_replace(source, target):
        note(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", die_at_the_second_segment)
    with pytest.raises(KeyboardInterrupt):
        retrieve(folders)
    monkeypatch.setattr(os, "replace", note_and_replace)
    assert retrieve(folders) == expected
    assert made.count("segment-000000") == 1 and made.count("segment-000001") == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_searched_again(folders, tmp_path, damage):
    queries, passages = VectorStore([folders / "queries"]), VectorStore([folders / "passages.3"])
    given = (queries, ExactSearch(passages, 1 << 30), DEPTH, "trec", tmp_path, "a.run")
    retrieve_run(*given)
    expected = (tmp_path / "a.run").read_bytes()
    damage(tmp_path / "segment-000000")
    retrieve_run(*given)
    assert (tmp_path / "a.run").read_bytes() == expected


def test_the_first_segment_is_at_most_all_queries(folders, monkeypatch):
    queries = VectorStore([folders / "queries"])
    assert batch_retrieval.first_segment(queries).shape == (QUERY_COUNT, 24)
    monkeypatch.setattr(batch_retrieval, "SEGMENT_QUERIES", 3)
    assert batch_retrieval.first_segment(queries).tolist() == queries.read(0, 3).tolist()
