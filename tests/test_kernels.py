"""The kernels find the largest products of each query, and multiply candidates in float64."""

import numpy as np
import pytest
from vectors_fixture import exact_rankings

from rocketqa.search import kernels
from rocketqa.search.kernels import candidate_products, largest_products, library, thread_count

needs_compiler = pytest.mark.skipif(library() is None, reason="no C compiler here")


def random_vectors(rows: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, size), np.float32)


@needs_compiler
@pytest.mark.parametrize("queries, passages, count", [(1, 40, 40), (7, 1000, 3), (50, 3000, 200)])
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
def test_wanted_candidates_get_float64_products(monkeypatch, size):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    queries = random_vectors(5, size, 1)
    vectors = random_vectors(300, size, 2)
    drawing = np.random.default_rng(3)
    rows = drawing.integers(0, 300, (5, 20))
    wanted = drawing.random((5, 20)) < 0.6
    products = candidate_products(queries, vectors, rows, wanted)
    expected = np.einsum("qh,qch->qc", queries.astype(float), vectors[rows].astype(float))
    np.testing.assert_allclose(products[wanted], expected[wanted], rtol=1e-13, atol=1e-13)
    assert not products[~wanted].any()


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
