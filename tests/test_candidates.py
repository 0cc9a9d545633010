"""What an engine finds is ranked by exact scores, and an engine of candidates is all it takes."""

import numpy as np
import pytest
from vectors_fixture import hard_collections, write_vectors

from rocketqa.search.candidates import CandidateSearch
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore


class Listed:
    """An engine that finds the same rows for every query, and notes how many it was asked for."""

    def __init__(self, rows):
        self.rows = np.array(rows)
        self.counts = []

    def find(self, queries, count):
        self.counts.append(count)
        return np.tile(self.rows[:count], (len(queries), 1))


def all_rows(store):
    return Listed(np.arange(len(store))[::-1])


@pytest.mark.parametrize("name", hard_collections())
def test_with_all_passages_as_candidates_the_rankings_are_those_of_exact_search(name, tmp_path):
    vectors = hard_collections()[name]
    ids = [f"p{number}" for number in np.random.default_rng(1).permutation(len(vectors))]
    store = VectorStore([write_vectors(tmp_path, ids, vectors, shards=3)])
    queries = np.random.default_rng(2).standard_normal((5, 24)).astype(np.float32)
    exact = list(ExactSearch(store, 2**30).search(queries, 340))
    engine = all_rows(store)
    assert list(CandidateSearch(store, engine).search(queries, 340)) == exact
    assert engine.counts == [len(vectors)]  # 2 x 340 + 32 are more than there are


def test_places_without_a_candidate_are_passed_over(tmp_path):
    axes = np.eye(4, dtype=np.float32)
    store = VectorStore([write_vectors(tmp_path, ["a", "b", "c", "d"], axes)])
    search = CandidateSearch(store, Listed([2, -1, 1, -1]))
    query = np.array([[0, 1, 3, 9]], np.float32)
    assert list(search.search(query, 4)) == [[("c", 3.0), ("b", 1.0)]]
    assert list(search.search(query, 1)) == [[("c", 3.0)]]
    assert list(CandidateSearch(store, Listed([-1, -1])).search(query, 4)) == [[]]


def test_an_engine_is_asked_for_more_than_are_wanted(tmp_path):
    vectors = np.ones((200, 3), np.float32)
    ids = [f"p{number:03}" for number in range(200)]
    store = VectorStore([write_vectors(tmp_path, ids, vectors)])
    engine = all_rows(store)
    (ranking,) = CandidateSearch(store, engine).search(vectors[:1], 10)
    assert engine.counts == [52]
    assert [passage_id for passage_id, _ in ranking] == ids[148:158]  # equal scores, by id
