"""A run is searched as it was asked for, and its overlap with exact search is known."""

import numpy as np
import pytest
from vectors_fixture import write_vectors

from rocketqa.search.approximate_search import ApproximateSearch
from rocketqa.search.candidates import CandidateSearch
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.index_record import IndexRecord
from rocketqa.search.kept_index import training_sample, write_index
from rocketqa.search.run_search import RunSettings, search_of_run
from rocketqa.search.vectors import VectorStore

RECORD = IndexRecord(0.5, 100)


@pytest.fixture
def passages(tmp_path):
    vectors = np.random.default_rng(3).standard_normal((600, 16))
    ids = [f"p{number}" for number in range(600)]
    return VectorStore([write_vectors(tmp_path / "passages", ids, vectors)])


@pytest.fixture
def queries(tmp_path):
    vectors = np.random.default_rng(4).standard_normal((20, 16))
    return VectorStore(
        [write_vectors(tmp_path / "queries", [str(number) for number in range(20)], vectors)]
    )


@pytest.fixture
def kept(passages, tmp_path):
    sample = training_sample(passages, 500, seed=1)
    write_index(passages, "IVF8,Flat", "nprobe=1", sample, 2**30, tmp_path)
    return tmp_path


def test_without_an_index_the_search_is_exact(passages, queries):
    search, found = search_of_run(RunSettings(None, "", 2**30, 10), None, queries, passages)
    assert isinstance(search, ExactSearch) and found is None


def test_the_overlap_of_a_kept_index_is_that_of_its_record(passages, queries, kept):
    settings = RunSettings(kept, "", 2**30, 10)
    search, found = search_of_run(settings, RECORD, queries, passages)
    assert isinstance(search, CandidateSearch) and found == RECORD


def test_with_other_parameters_the_overlap_is_measured_again(passages, queries, kept):
    settings = RunSettings(kept, "nprobe=8", 2**30, 10)
    search, found = search_of_run(settings, RECORD, queries, passages)
    assert isinstance(search, CandidateSearch) and found == IndexRecord(1.0, 10)


def test_the_overlap_of_an_index_that_is_made_now_is_measured(passages, queries):
    settings = RunSettings("Flat", "", 2**30, 10)
    search, found = search_of_run(settings, None, queries, passages)
    assert isinstance(search, ApproximateSearch) and found == IndexRecord(1.0, 10)
