"""Vectors on disk are one matrix, and what does not belong together is refused in one line."""

import json

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
from rocketqa.search.vectors import VectorStore, check_same_encoder, read_job, shard_paths

IDS = ["a", "b", "c", "d", "e"]
MATRIX = np.arange(15, dtype=np.float32).reshape(5, 3)


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_files_of_a_folder_are_one_matrix(tmp_path, shards, dtype):
    store = VectorStore([write_vectors(tmp_path, IDS, MATRIX, shards, dtype)])
    assert (len(store), store.size, store.job) == (5, 3, None)
    assert store.ids.tolist() == [b"a", b"b", b"c", b"d", b"e"]
    for begin in range(6):
        for end in range(begin, 6):
            rows = store.read(begin, end)
            assert rows.dtype == np.float32
            assert rows.tolist() == MATRIX[begin:end].tolist()


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


def test_the_folders_of_all_shards_are_one_collection_in_any_order(tmp_path):
    first, second = write_shards(tmp_path, "1/2", "2/2")
    assert sorted(VectorStore([first, second]).ids) == sorted(VectorStore([second, first]).ids)
    assert len(VectorStore([first, second])) == 8


@pytest.mark.parametrize(
    "shards, message",
    [
        (["1/3", "3/3"], "expected shards 1/3 to 3/3, got no 2/3"),
        (["1/1", "1/1"], "expected shards 1/1 to 1/1 once each, got 1/1 again"),
        (["1/2", "2/3"], "expected shards 1/2 to 2/2 once each, got 2/3 too"),
        (["1/2"], "expected shards 1/2 to 2/2, got no 2/2"),
    ],
)
def test_a_missing_or_foreign_shard_is_refused(tmp_path, shards, message):
    with pytest.raises(DataError, match=message):
        VectorStore(write_shards(tmp_path, *shards))


@pytest.mark.parametrize(
    "changed, message",
    [
        (
            {"checkpoint": "other"},
            "expected the same checkpoint as in .*0, got another: encode it again",
        ),
        (
            {"collection": "other"},
            "expected the same collection as in .*0, got another: encode it again",
        ),
        ({"batch_tokens": 9}, "expected the same batch-tokens as in .*0, got another: 9"),
    ],
)
def test_shards_of_another_encoding_are_refused(tmp_path, changed, message):
    folders = write_shards(tmp_path, "1/2", "2/2")
    job = {"shard": "2/2", "checkpoint": "m", "batch_tokens": 8} | changed
    write_vectors(folders[1], ["x"], np.eye(1, 4), **job)
    with pytest.raises(DataError, match=message):
        VectorStore(folders)


@pytest.mark.parametrize("without", [0, 1])
def test_several_folders_need_their_manifests(tmp_path, without):
    folders = write_shards(tmp_path, "1/2", "2/2")
    (folders[without] / "meta.json").unlink()
    with pytest.raises(
        DataError, match=f"{without}: expected the meta.json of an encoding, got none"
    ):
        VectorStore(folders)


def test_vectors_of_two_dual_encoders_do_not_go_together(tmp_path):
    stores = [
        VectorStore([write_vectors(tmp_path / name, ["a"], [[1.0]], checkpoint=name)])
        for name in ("old", "new")
    ]
    check_same_encoder(stores[0], stores[0])
    with pytest.raises(DataError, match="expected vectors of the dual encoder that encoded .*new"):
        check_same_encoder(*stores)
    (tmp_path / "new/meta.json").unlink()
    check_same_encoder(stores[0], VectorStore([tmp_path / "new"]))


def test_the_job_of_an_encoding_is_read_from_its_manifest(tmp_path):
    assert read_job(tmp_path) is None
    write_vectors(tmp_path, ["a"], [[1.0]], checkpoint="m", batch_tokens=8)
    assert read_job(tmp_path) == {
        "shard": None,
        "batch_tokens": 8,
        "checkpoint": ["m"],
        "collection": ["c"],
    }


def manifest(shard: object = None, checkpoint: object = ("m",)) -> str:
    flags = {"shard": shard}
    inputs = {"checkpoint": checkpoint}
    return json.dumps({"job": {"flags": flags, "inputs": inputs}})


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "expected a JSON object, got other text: .*"),
        ("[]", "expected a JSON object, got a list"),
        ("[1]", "expected a JSON object, got a list"),
        ("{}", "expected an object for job, got nothing"),
        ('{"job": 1}', "expected an object for job, got 1"),
        ('{"job": {"flags": {}}}', "expected an object for job.inputs, got nothing"),
        ('{"job": {"flags": [], "inputs": {}}}', "expected an object for job.flags, got a list"),
        (
            '{"job": {"flags": {}, "inputs": {}}}',
            "expected a list for job.inputs.checkpoint, got nothing",
        ),
        (manifest(checkpoint="m"), 'expected a list for job.inputs.checkpoint, got "m"'),
        (manifest(shard=3), "expected a text for job.flags.shard, got 3"),
        (manifest(shard="1/x"), 'expected I/N for job.flags.shard, got "1/x"'),
        ("\xff", "expected a JSON object in UTF-8, got byte 0xff at 0"),
    ],
)
def test_a_broken_manifest_is_refused_in_a_line(tmp_path, content, message):
    write_vectors(tmp_path, ["a"], [[1.0]])
    (tmp_path / "meta.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=f"meta.json: {message}$"):
        VectorStore([tmp_path])
