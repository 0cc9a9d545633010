"""Search is exact: ties are broken by passage id, and the ranking is that of a slow twin."""

import math
import tracemalloc

import numpy as np
import pytest
from vectors_fixture import exact_rankings, hard_collections, write_vectors

from rocketqa.files.errors import DataError
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore


def slow_ranking(ids, vectors, query, depth):
    """The definition: the exact inner product, to float64, to float32; then the id."""

    def exact(vector):
        terms = [float(a) * float(b) for a, b in zip(vector, query)]
        rounded = np.float32(math.fsum(terms))
        return float(rounded) + 0.0

    scored = [(name, exact(vector)) for name, vector in zip(ids, vectors)]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:depth]


def test_the_largest_inner_products_come_first(tmp_path):
    vectors = [[1, 0], [0, 2], [3, 3]]
    queries = [[1, 0], [0, -1]]
    assert exact_rankings(tmp_path, ["a", "b", "c"], vectors, queries, 2) == [
        [("c", 3.0), ("a", 1.0)],
        [("a", 0.0), ("b", -2.0)],
    ]


def test_equal_scores_are_ordered_by_passage_id_as_text(tmp_path):
    ids = ["p2", "p10", "p1", "é", "z"]
    [ranking] = exact_rankings(tmp_path, ids, np.ones((5, 3)), [[1, 1, 1]], 5)
    assert [name for name, _ in ranking] == ["p1", "p10", "p2", "z", "é"]


@pytest.mark.parametrize("depth, rows", [(1, 1), (3, 3), (4, 3), (1000, 3)])
def test_fewer_passages_than_depth_give_fewer_rows(tmp_path, depth, rows):
    [ranking] = exact_rankings(tmp_path, ["a", "b", "c"], np.eye(3), [[1, 2, 3]], depth)
    assert len(ranking) == rows


def test_one_passage_is_found(tmp_path):
    assert exact_rankings(tmp_path, ["a"], [[2.0]], [[3.0]], 10) == [[("a", 6.0)]]


@pytest.mark.parametrize("name", hard_collections())
@pytest.mark.parametrize("depth", [1, 50, 699])
def test_the_ranking_is_that_of_the_slow_twin(tmp_path, name, depth):
    vectors = hard_collections()[name]
    numbers = np.random.default_rng(1).permutation(len(vectors))
    ids = [f"p{number}" for number in numbers]
    passages_as_queries = vectors[[5, 100, 650]]
    random_queries = np.random.default_rng(2).standard_normal((2, 24))
    queries = np.concatenate([passages_as_queries, random_queries]).astype(np.float32)
    expected = [slow_ranking(ids, vectors, query, depth) for query in queries]
    found = exact_rankings(tmp_path, ids, vectors, queries, depth)
    assert found == expected
    small_blocks = {"max_memory": 170 * 104, "shards": 3}
    found = exact_rankings(tmp_path, ids, vectors, queries, depth, **small_blocks)
    assert found == expected


def test_float16_vectors_are_searched_as_the_numbers_they_are(tmp_path):
    vectors = np.random.default_rng(3).standard_normal((200, 24)).astype(np.float16)
    ids = [f"p{number}" for number in range(200)]
    query = vectors[7].astype(np.float32)
    expected = slow_ranking(ids, vectors, query, 20)
    found = exact_rankings(tmp_path, ids, vectors, [query], 20, dtype=np.float16)
    assert found == [expected]


def test_products_beyond_float32_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected inner products that float32 holds"):
        exact_rankings(tmp_path, ["a"], [[1e20, 0]], [[1e20, 0]], 1)


def test_queries_of_another_size_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected queries of the passages' size 2, got 3"):
        exact_rankings(tmp_path, ["a"], [[1, 0]], [[1, 0, 0]], 1)


def test_a_passage_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected each passage once, got 'b' again"):
        exact_rankings(tmp_path, ["b", "a", "b"], np.eye(3), [[1, 0, 0]], 1)


def test_one_block_of_vectors_is_in_memory_at_a_time(tmp_path):
    random = np.random.default_rng(1)
    vectors = random.standard_normal((20_000, 256), np.float32)  # 20 MB
    ids = [f"p{number}" for number in range(20_000)]
    write_vectors(tmp_path, ids, vectors)
    store = VectorStore([tmp_path])
    search = ExactSearch(store, 4_000_000)
    tracemalloc.start()
    list(search.search(vectors[:20], 10))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 4_000_000 < most < 6_500_000


def test_a_search_begins_with_the_block_that_is_in_memory(tmp_path):
    write_vectors(tmp_path, list("abcd"), np.eye(4))
    begins = []

    class NotedReads(VectorStore):
        def read(self, begin, end):
            begins.append(begin)
            return super().read(begin, end)

    search = ExactSearch(NotedReads([tmp_path]), 2 * 24)  # blocks of two passages
    rankings = [list(search.search(np.eye(4, dtype=np.float32), 2)) for _ in range(3)]
    assert rankings[0] == rankings[1] == rankings[2]
    assert begins == [0, 2, 0, 2]
