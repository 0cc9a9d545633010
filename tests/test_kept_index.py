"""A kept index is mapped from disk, finds what it was made of, and refuses other vectors."""

import numpy as np
import pytest
from vectors_fixture import write_vectors

from rocketqa.files.errors import DataError
from rocketqa.search.kept_index import (
    FILE,
    KeptIndex,
    measuring_sample,
    training_sample,
    write_index,
)
from rocketqa.search.vectors import VectorStore

FACTORIES = [("Flat", ""), ("HNSW8", "efSearch=64"), ("IVF8,Flat", "nprobe=8"), ("IVF4,SQ8", "")]


@pytest.fixture
def store(tmp_path):
    """Vectors in several files."""
    vectors = np.random.default_rng(3).standard_normal((1000, 16))
    ids = [f"p{number}" for number in range(1000)]
    return VectorStore([write_vectors(tmp_path / "vectors", ids, vectors, shards=3)])


def kept(store, folder, factory="Flat", parameters="", max_memory=2**30):
    sample = training_sample(store, 500, seed=1)
    write_index(store, factory, parameters, sample, max_memory, folder)
    return KeptIndex(folder, store)


@pytest.mark.parametrize("factory, parameters", FACTORIES)
def test_an_index_finds_the_rows_of_the_vectors_and_is_mapped(store, tmp_path, factory, parameters):
    index = kept(store, tmp_path, factory, parameters, max_memory=64 * 300)
    found = index.find(store.read(0, 50), 300)
    assert found.shape == (50, 300)
    assert (found == np.arange(50)[:, None]).any(axis=1).mean() > 0.9
    with open("/proc/self/maps", encoding="utf-8") as maps:
        assert str(tmp_path / FILE) in maps.read()


def test_the_parameters_are_kept_and_can_be_changed_for_a_search(store, tmp_path):
    query = store.read(0, 1)
    narrow = kept(store, tmp_path, "IVF8,Flat", "nprobe=1")
    wide = KeptIndex(tmp_path, store, "nprobe=8")
    assert (narrow.find(query, 1000) >= 0).sum() < 1000
    assert (wide.find(query, 1000) >= 0).sum() == 1000
    assert (kept(store, tmp_path, "IVF8,Flat", "nprobe=8").find(query, 1000) >= 0).all()


@pytest.mark.parametrize(
    "factory, parameters, line",
    [
        (
            "HNSV32",
            "",
            "--factory HNSV32: expected an index for these vectors, got from faiss: could",
        ),
        ("IVF4096,Flat", "", "--factory IVF4096,Flat: expected an index"),
        ("Flat", "nprobs=3", "--parameters nprobs=3: expected an index"),
    ],
)
def test_what_faiss_cannot_make_is_one_line(store, tmp_path, factory, parameters, line):
    with pytest.raises(DataError, match=f"^{line}"):
        kept(store, tmp_path, factory, parameters)
    assert not (tmp_path / FILE).exists()


def test_an_index_of_other_vectors_or_a_cut_file_is_refused(store, tmp_path):
    kept(store, tmp_path)
    other = VectorStore([write_vectors(tmp_path / "other", ["a"], np.ones((1, 16)))])
    line = r"index.faiss: expected vectors \[1, 16\], got \[1000, 16\]"
    with pytest.raises(DataError, match=line):
        KeptIndex(tmp_path, other)
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match=f"^{file}: expected an index for these vectors, got from"):
        KeptIndex(tmp_path, store)


def test_samples_are_different_vectors_that_the_seed_decides(store):
    sample = training_sample(store, 100, seed=1)
    assert sample.shape == (100, 16) and len(np.unique(sample, axis=0)) == 100
    assert np.array_equal(sample, training_sample(store, 100, seed=1))
    assert not np.array_equal(sample, training_sample(store, 100, seed=2))
    assert not np.array_equal(sample, measuring_sample(store, seed=1))
    assert np.array_equal(training_sample(store, 5000, seed=1), store.read(0, 1000))
