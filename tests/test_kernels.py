"""The kernels find the largest products of each query, and multiply candidates in float64."""

import numpy as np
import pytest
from vectors_fixture import exact_rankings

from rocketqa.search import kernels
from rocketqa.search.exact_scores import norms_of
from rocketqa.search.kernels import candidate_scores, largest_products, library, thread_count

needs_compiler = pytest.mark.skipif(library() is None, reason="no C compiler here")


def random_vectors(rows: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, size), np.float32)


@needs_compiler
@pytest.mark.parametrize(
    "queries, passages, count",  # one to three registers of queries in the last tile
    [(1, 40, 40), (4, 700, 9), (7, 1000, 3), (20, 301, 30), (40, 500, 20), (50, 3000, 200)],
)
@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("columns", [100, 10_000])
def test_the_largest_products_are_those_of_a_sort(
    monkeypatch, queries, passages, count, threads, columns
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(kernels, "PRODUCTS_AT_ONCE", queries * columns)
    query_vectors = random_vectors(queries, 24, 1)
    vectors = random_vectors(passages, 24, 2)
    products, rows = largest_products(query_vectors, vectors, count)
    assert products.shape == rows.shape == (queries, count)
    expected = np.sort(query_vectors @ vectors.T, axis=1)[:, ::-1][:, :count]
    np.testing.assert_allclose(np.sort(products, axis=1)[:, ::-1], expected, rtol=1e-5, atol=1e-5)
    of_rows = np.einsum("qh,qch->qc", query_vectors, vectors[rows])
    np.testing.assert_allclose(products, of_rows, rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == count for row in rows.tolist())


@needs_compiler
@pytest.mark.parametrize("order", [1, -1])
def test_products_that_rise_fall_or_are_equal_are_no_trouble(order):
    vectors = np.repeat(np.arange(500, dtype=np.float32), 3)[::order, None]
    products, _ = largest_products(np.ones((2, 1), np.float32), vectors, 30)
    assert np.sort(products, axis=1).tolist() == [np.repeat(np.arange(490, 500), 3).tolist()] * 2
    products, rows = largest_products(np.zeros((1, 1), np.float32), vectors, 30)
    assert products.tolist() == [[0.0] * 30] and len(set(rows[0].tolist())) == 30


@needs_compiler
def test_the_largest_products_are_found_where_a_sample_of_all_misleads():
    vectors = np.arange(5120, dtype=np.float32)[:, None]
    vectors[::10] += 10_000  # the kernels look at every tenth of so many first
    products, rows = largest_products(np.ones((1, 1), np.float32), vectors, 600)
    assert np.sort(products[0]).tolist() == np.sort(vectors[:, 0])[-600:].tolist()
    np.testing.assert_array_equal(products[0], vectors[rows[0], 0])


@needs_compiler
@pytest.mark.parametrize("size", [1, 31, 32, 64, 100, 200])
def test_wanted_candidates_get_the_scores_of_float64_products(monkeypatch, size):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    queries = random_vectors(5, size, 1)
    vectors = random_vectors(300, size, 2)
    drawing = np.random.default_rng(3)
    rows = np.sort(drawing.integers(0, 300, (5, 20)))
    wanted = drawing.random((5, 20)) < 0.6
    norms = norms_of(queries), norms_of(vectors)
    expected = np.einsum("qh,qch->qc", queries.astype(float), vectors[rows].astype(float))
    scores, is_open = candidate_scores(queries, norms[0], vectors, norms[1], 0.0, rows, wanted)
    np.testing.assert_array_equal(scores[wanted], expected[wanted].astype(np.float32))
    assert not scores[~wanted].any() and not is_open.any()


@needs_compiler
def test_a_score_is_open_where_the_error_of_its_product_reaches_another_float32():
    vectors = np.array([[1.0], [1 + 2.0**-12], [-3.0]], np.float32)
    queries = np.array([[1.0], [1 + 2.0**-12]], np.float32)
    rows = np.array([[0, 1, 2], [0, 1, 2]])
    wanted = np.array([[True, True, False], [True, True, True]])
    arrays = (queries, norms_of(queries), vectors, norms_of(vectors))
    # Products: 1, 1 + 2**-12; 1 + 2**-12, 1 + 2**-11 + 2**-24, -3 - 3 * 2**-12. The second last one
    # lies halfway between two float32 numbers, and all others are float32 numbers.
    scores, is_open = candidate_scores(*arrays, 2.0**-50, rows, wanted)
    assert is_open.tolist() == [[False, False, False], [False, True, False]]
    assert scores.tolist() == [
        [1.0, 1 + 2.0**-12, 0.0],
        [1 + 2.0**-12, 1 + 2.0**-11, -3 - 3 * 2.0**-12],
    ]
    _, is_open = candidate_scores(*arrays, 2.0**-20, rows, wanted)
    assert (is_open == wanted).all()


@needs_compiler
def test_rankings_are_the_same_without_kernels(tmp_path, monkeypatch):
    queries = random_vectors(5, 24, 1)
    vectors = random_vectors(400, 24, 2)
    ids = [f"p{number}" for number in range(400)]
    rankings = [exact_rankings(tmp_path / "with", ids, vectors, queries, 50)]
    monkeypatch.setattr(kernels, "library", lambda: None)
    rankings.append(exact_rankings(tmp_path / "without", ids, vectors, queries, 50))
    assert rankings[0] == rankings[1]


def test_the_number_of_threads_is_that_of_the_environment_or_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert thread_count() >= 1
