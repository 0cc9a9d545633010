"""With GPUs the rankings are those of the CPU, and each vector crosses the bus once."""

import faiss
import numpy as np
import pytest
from gpus_of_faiss import install_gpus
from vectors_fixture import exact_rankings, hard_collections, write_vectors

from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.search.block_index import BlockIndex, Gpus
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore

BYTES_OF_VECTOR = 4 * 24 + 8


def random_vectors(count: int, size: int = 24) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, size), np.float32)


def search_of(folder, vectors, max_memory=2**30) -> ExactSearch:
    """Returns a search of vectors that are written to a folder first."""
    ids = [f"p{row}" for row in range(len(vectors))]
    return ExactSearch(VectorStore([write_vectors(folder, ids, vectors)]), max_memory)


@pytest.mark.parametrize("name", hard_collections())
def test_the_rankings_of_gpus_are_those_of_the_cpu(tmp_path, monkeypatch, name):
    vectors = hard_collections()[name]
    ids = [f"p{row}" for row in np.random.default_rng(1).permutation(len(vectors))]
    queries = vectors[[5, 100, 650]]
    expected = exact_rankings(tmp_path, ids, vectors, queries, 50)
    for gpus in (1, 3):
        parts = install_gpus(monkeypatch, gpus)
        for max_memory in (2**30, 100 * BYTES_OF_VECTOR):
            assert exact_rankings(tmp_path, ids, vectors, queries, 50, max_memory) == expected
        assert {part.device for part in parts} == set(range(gpus))


def test_each_vector_crosses_the_bus_once_while_all_queries_pass(tmp_path, monkeypatch):
    parts = install_gpus(monkeypatch, 4)
    vectors = random_vectors(1000)
    search = search_of(tmp_path, vectors)
    many = random_vectors(2500)  # three searches of faiss
    together = list(search.search(many, 10))
    alone = [list(search.search(query[None], 10))[0] for query in many[:5]]
    assert together[:5] == alone
    assert [part.vectors for part in parts] == [250, 250, 250, 250]


def test_no_gpu_holds_more_than_max_memory(tmp_path, monkeypatch):
    parts = install_gpus(monkeypatch, 2)
    search = search_of(tmp_path, random_vectors(1000), max_memory=200 * BYTES_OF_VECTOR)
    list(search.search(random_vectors(3), 10))
    assert [part.vectors for part in parts] == [200, 200, 200, 200, 100, 100]
    list(search.search(random_vectors(3), 10))
    assert sum(part.vectors for part in parts) == 1000 + 800  # the last block was still there


def test_more_results_than_a_gpu_can_give_come_from_the_cpu(monkeypatch):
    parts = install_gpus(monkeypatch, 1)
    index = BlockIndex(random_vectors(3000), Gpus())
    products, _ = index.nearest(random_vectors(1), 2049)
    assert products.shape == (1, 2049) and not parts
    index.nearest(random_vectors(1), 2048)
    assert [part.vectors for part in parts] == [3000]


def test_a_gpu_that_computes_with_fewer_bits_is_refused(tmp_path, monkeypatch):
    install_gpus(monkeypatch, 1)

    def with_fewer_bits(resources, dims, config):
        bits = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexScalarQuantizer(dims, bits, faiss.METRIC_INNER_PRODUCT)

    monkeypatch.setattr(faiss, "GpuIndexFlatIP", with_fewer_bits)
    search = search_of(tmp_path, random_vectors(1000))
    with pytest.raises(DataError, match="^vectors: expected float32 products within .*TF32_OVER"):
        search.search(random_vectors(3), 10)


NO_MEMORY = (
    "Error in virtual void* faiss::gpu::StandardGpuResourcesImpl::allocMemory(...) at "
    "faiss/gpu/StandardGpuResources.cpp:576: Error: 'err == cudaSuccess' failed: "
    "StandardGpuResources: alloc fail type FlatData dev 0 space Device size 9 bytes "
    "(cudaMalloc error out of memory [2])\n"
)


@pytest.mark.parametrize(
    "message, line",
    [
        (
            NO_MEMORY,
            "GPUs: expected memory for 1,000 vectors of size 24, got 'err == cudaSuccess' failed: "
            "StandardGpuResources: alloc fail type FlatData dev 0 space Device size 9 bytes "
            "(cudaMalloc error out of memory [2]): choose a smaller --max-memory (each GPU needs "
            "1.5 GiB besides)",
        ),
        (
            "Error in GpuIndex.cu:65: Error: Invalid GPU device 0",
            "GPUs: expected an answer of faiss, got Invalid GPU device 0: CUDA_VISIBLE_DEVICES= "
            "hides the GPUs, and the CPU searches",
        ),
    ],
)
def test_a_fault_of_a_gpu_is_one_line(tmp_path, monkeypatch, capsys, message, line):
    install_gpus(monkeypatch, 1)

    def fail(*arguments):
        raise RuntimeError(message)

    monkeypatch.setattr(faiss, "GpuIndexFlatIP", fail)
    ids = [f"p{row}" for row in range(1000)]
    write_vectors(tmp_path / "passages", ids, random_vectors(1000))
    write_vectors(tmp_path / "queries", ["q"], random_vectors(1))
    words = ["retrieve", "--output", tmp_path / "run", "--depth", 10]
    words += ["--query-vectors", tmp_path / "queries", "--passage-vectors", tmp_path / "passages"]
    assert main([str(word) for word in words]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"rocketqa retrieve: {line}"
    assert not (tmp_path / "run").exists()


def test_a_driver_that_does_not_answer_is_one_line(monkeypatch):
    def fail():
        raise RuntimeError("Error in getNumDevices: Error: CUDA error 999 unknown error")

    monkeypatch.setattr(faiss, "get_num_gpus", fail)
    with pytest.raises(DataError, match="^GPUs: expected faiss to count them, got .* error 999"):
        Gpus()


@pytest.mark.skipif(not hasattr(faiss, "GpuIndexFlatIP"), reason="needs faiss-gpu")
def test_faiss_gpu_has_what_is_called():
    config = faiss.GpuIndexFlatConfig()
    config.device = 0
    config.use_cuvs = False
    if faiss.get_num_gpus() == 0:
        with pytest.raises(RuntimeError, match="Invalid GPU device 0"):
            faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), 24, config)
    else:
        vectors = random_vectors(1000)
        products, _ = BlockIndex(vectors, Gpus()).nearest(vectors[:1], 2)
        assert products[0, 0] == pytest.approx(float(vectors[0] @ vectors[0]), rel=1e-5)
