"""Vectors on disk are one matrix, and what does not belong together is refused in one line."""

import numpy as np
import pytest
from vectors_fixture import (
    exact_rankings,
    retrieve,
    write_queries_and_passages,
    write_shards,
    write_vectors,
)

from rocketqa.files.errors import DataError
from rocketqa.search.vectors import VectorStore, check_same_size, shard_paths

IDS = ["a", "b", "c", "d", "e"]
MATRIX = np.arange(15, dtype=np.float32).reshape(5, 3)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_files_of_a_folder_are_one_matrix(tmp_path, shards, dtype):
    store = VectorStore([write_vectors(tmp_path, IDS, MATRIX, shards, dtype)])
    assert (len(store), store.size, store.job) == (5, 3, None)
    assert list(store.ids) == IDS
    for begin in range(6):
        for end in range(begin, 6):
            rows = store.read(begin, end)
            assert rows.dtype == np.float32
            assert rows.tolist() == MATRIX[begin:end].tolist()


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_some_rows_are_read_in_the_order_that_is_asked_for(tmp_path, shards, dtype):
    store = VectorStore([write_vectors(tmp_path, IDS, MATRIX, shards, dtype)])
    for rows in ([4, 0, 3, 3], [2], [], [1, 2, 0, 4, 3]):
        vectors = store.at(np.array(rows, int))
        assert vectors.dtype == np.float32
        assert vectors.tolist() == MATRIX[rows].tolist() if rows else vectors.shape == (0, 3)


def test_float16_vectors_have_the_same_ranking_as_their_float32_numbers(tmp_path):
    vectors = np.random.default_rng(3).standard_normal((200, 24)).astype(np.float16)
    ids = [f"p{number}" for number in range(200)]
    query = vectors[7].astype(np.float32)
    half = exact_rankings(tmp_path / "half", ids, vectors, [query], 20, dtype=np.float16)
    full = exact_rankings(tmp_path / "full", ids, vectors.astype(np.float32), [query], 20)
    assert half == full


def test_a_row_of_large_finite_numbers_is_accepted(tmp_path):
    largest = np.full((1, 3), np.finfo(np.float32).max)
    store = VectorStore([write_vectors(tmp_path, ["a"], largest)])
    assert store.read(0, 1).tolist() == largest.tolist()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(tmp_path, capsys, number):
    write_queries_and_passages(tmp_path)
    vectors = np.ones((5, 24))
    vectors[3, 7] = number
    write_vectors(tmp_path / "broken", list("abcde"), vectors)
    assert retrieve(tmp_path, passages=["broken"]) == 2
    assert capsys.readouterr().err.endswith(
        "broken: expected finite vectors, got nan or inf in that of 'd'\n"
    )


def test_a_folder_without_vectors_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected vectors, got none"):
        VectorStore([tmp_path])


@pytest.mark.parametrize(
    "vectors, message",
    [
        (np.ones((5, 3), np.int64), r"expected rows of float32 or float16, got int64 \[5, 3\]"),
        (np.ones(5, np.float32), r"expected rows of float32 or float16, got float32 \[5\]"),
        (np.ones((4, 3), np.float32), "expected a vector for each of 5 ids, got 4"),
    ],
)
def test_a_file_that_does_not_fit_its_ids_is_refused(tmp_path, vectors, message):
    write_vectors(tmp_path, IDS, MATRIX)
    np.save(shard_paths(tmp_path, 0)[0], vectors)
    with pytest.raises(DataError, match=message):
        VectorStore([tmp_path])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_not_numpys_is_refused_in_a_line(tmp_path, content):
    write_vectors(tmp_path, IDS, MATRIX)
    shard_paths(tmp_path, 0)[0].write_bytes(content)
    with pytest.raises(
        DataError, match="vectors.00000.npy: expected vectors of NumPy, got"
    ) as error:
        VectorStore([tmp_path])
    assert "\n" not in str(error.value)


def test_vectors_of_unequal_size_are_refused(tmp_path):
    write_vectors(tmp_path, IDS, MATRIX)
    vectors_file, ids_file = shard_paths(tmp_path, 1)
    np.save(vectors_file, np.ones((1, 4), np.float32))
    ids_file.write_text("f\n")
    with pytest.raises(DataError, match="vectors.00001.npy: expected vectors of size 3, got 4"):
        VectorStore([tmp_path])


def test_the_output_of_another_verb_is_named(tmp_path):
    run = tmp_path / "a.run"
    run.write_text("")
    (tmp_path / "a.run.meta.json").write_text('{"job": {"verb": "retrieve"}}')
    with pytest.raises(DataError, match="a.run: expected vectors, got the output of `retrieve`$"):
        VectorStore([run])


def test_the_folders_of_all_shards_are_one_collection_in_any_order(tmp_path):
    first, second = write_shards(tmp_path, "1/2", "2/2")
    assert sorted(VectorStore([first, second]).ids) == sorted(VectorStore([second, first]).ids)
    assert len(VectorStore([first, second])) == 8


def test_queries_of_another_size_are_refused(tmp_path):
    queries = VectorStore([write_vectors(tmp_path / "queries", ["a"], [[1.0, 2.0]])])
    passages = VectorStore([write_vectors(tmp_path / "passages", ["a"], [[1.0]])])
    check_same_size(queries, queries)
    with pytest.raises(DataError) as error:
        check_same_size(queries, passages)
    assert str(error.value) == (
        f"{tmp_path}/queries: expected vectors of size 1, as in {tmp_path}/passages, got 2: "
        "encode again with one dual encoder"
    )


def test_ids_that_are_not_utf8_are_refused(tmp_path):
    write_vectors(tmp_path, IDS, MATRIX)
    shard_paths(tmp_path, 0)[1].write_bytes(b"a\nb\nc\xff\nd\ne\n")
    with pytest.raises(DataError, match="ids: expected ids in UTF-8, got byte 0xff at 5$"):
        VectorStore([tmp_path])
