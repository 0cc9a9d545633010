"""Search is exact: the same run for any shards, blocks, threads; ties by passage id; never a row that is none."""

import json
import math
import os
import tracemalloc

import numpy as np
import pytest

from rocketqa.cli import retrieve
from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.search.index import ExactSearch
from rocketqa.search.vectors import VectorStore, shard_paths


def write_vectors(folder, ids, vectors, shards=1, dtype=np.float32, **job):
    """Writes a folder as `rocketqa encode` does; `job` gives it a manifest with these flags and inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = [len(ids) * shard // shards for shard in range(shards + 1)]
    for shard, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        if begin < end:
            vectors_file, ids_file = shard_paths(folder, shard)
            np.save(vectors_file, np.asarray(vectors[begin:end], dtype))
            ids_file.write_text("".join(f"{name}\n" for name in ids[begin:end]))
    if job:
        inputs = {"checkpoint": [job.pop("checkpoint")], "collection": [job.pop("collection", "c")]}
        (folder / "meta.json").write_text(
            json.dumps({"job": {"flags": job, "inputs": inputs}, "outputs": {}})
        )
    return folder


def found(tmp_path, ids, vectors, queries, depth, max_memory=2**30, **how):
    store = VectorStore([write_vectors(tmp_path / "passages", ids, vectors, **how)])
    return list(ExactSearch(store, max_memory).search(np.asarray(queries, np.float32), depth))


def slow_ranking(ids, vectors, query, depth):
    """The definition: the exact inner product, to float64, to float32; then the id."""

    def exact(vector):
        return (
            float(np.float32(math.fsum(float(a) * float(b) for a, b in zip(vector, query)))) + 0.0
        )

    return sorted(
        ((name, exact(vector)) for name, vector in zip(ids, vectors)),
        key=lambda pair: (-pair[1], pair[0]),
    )[:depth]


def test_the_largest_inner_products_come_first(tmp_path):
    assert found(tmp_path, ["a", "b", "c"], [[1, 0], [0, 2], [3, 3]], [[1, 0], [0, -1]], 2) == [
        [("c", 3.0), ("a", 1.0)],
        [("a", 0.0), ("b", -2.0)],
    ]


def test_equal_scores_are_ordered_by_passage_id_as_text(tmp_path):
    ids = ["p2", "p10", "p1", "é", "z"]
    assert [name for name, _ in found(tmp_path, ids, np.ones((5, 3)), [[1, 1, 1]], 5)[0]] == [
        "p1",
        "p10",
        "p2",
        "z",
        "é",
    ]


@pytest.mark.parametrize("depth, rows", [(1, 1), (3, 3), (4, 3), (1000, 3)])
def test_fewer_passages_than_depth_give_fewer_rows(tmp_path, depth, rows):
    assert len(found(tmp_path, ["a", "b", "c"], np.eye(3), [[1, 2, 3]], depth)[0]) == rows


def test_one_passage_is_found(tmp_path):
    assert found(tmp_path, ["a"], [[2.0]], [[3.0]], 10) == [[("a", 6.0)]]


def worlds():
    """Passages [N, 24] that are hard to rank exactly."""
    drawing = np.random.default_rng(7)
    plain = drawing.standard_normal((700, 24)).astype(np.float32)
    near = plain[:1] + np.float32(1e-6) * plain
    twice = np.concatenate([plain[:100], np.repeat(plain[100:101], 600, axis=0)])
    signs = np.sign(plain)
    huge = plain * np.float32(1e17)
    outlier = np.concatenate([plain[:-1], plain[-1:] * np.float32(1e6)])
    return {
        "plain": plain,
        "near": near,
        "duplicates": twice,
        "equal": np.ones_like(plain),
        "signs": signs,
        "zeros": np.zeros_like(plain),
        "denormal": plain * np.float32(1e-40),
        "huge": huge,
        "outlier": outlier,
        "opposite": np.concatenate([plain[:350], -plain[:350]]),
        "large and small": plain
        * np.float32(10) ** (drawing.integers(-12, 12, (700, 1)).astype(np.float32)),
    }


@pytest.mark.parametrize("world", worlds())
@pytest.mark.parametrize("depth", [1, 50, 699])
def test_the_ranking_is_that_of_the_slow_twin(tmp_path, world, depth):
    vectors = worlds()[world]
    ids = [f"p{number}" for number in np.random.default_rng(1).permutation(len(vectors))]
    queries = np.concatenate(
        [vectors[[5, 100, 650]], np.random.default_rng(2).standard_normal((2, 24))]
    )
    expected = [slow_ranking(ids, vectors, query, depth) for query in queries.astype(np.float32)]
    assert found(tmp_path, ids, vectors, queries, depth) == expected
    assert found(tmp_path, ids, vectors, queries, depth, max_memory=170 * 104, shards=3) == expected


def test_float16_vectors_are_searched_as_the_numbers_they_are(tmp_path):
    vectors = np.random.default_rng(3).standard_normal((200, 24)).astype(np.float16)
    ids = [f"p{number}" for number in range(200)]
    query = vectors[7].astype(np.float32)
    assert found(tmp_path, ids, vectors, [query], 20, dtype=np.float16) == [
        slow_ranking(ids, vectors, query, 20)
    ]


@pytest.fixture
def folders(tmp_path):
    """Queries, and passages with many duplicates in 1, 3 and 8 files."""
    drawing = np.random.default_rng(4)
    vectors = drawing.standard_normal((900, 24)).astype(np.float32)[drawing.integers(0, 300, 900)]
    ids = [f"p{number}" for number in drawing.permutation(900)]
    write_vectors(
        tmp_path / "queries", [f"q{i}" for i in range(40)], drawing.standard_normal((40, 24))
    )
    for shards in (1, 3, 8):
        write_vectors(tmp_path / f"passages.{shards}", ids, vectors, shards)
    return tmp_path


def retrieved(folder, *flags, passages=("passages.1",), output="a.run"):
    """Returns the run that the verb writes, as bytes."""
    (folder / output).unlink(missing_ok=True)
    command = [
        "retrieve",
        "--output",
        folder / output,
        "--query-vectors",
        folder / "queries",
        "--depth",
        30,
        "--passage-vectors",
        *(folder / name for name in passages),
        *flags,
    ]
    status = main([str(word) for word in command])
    return (folder / output).read_bytes() if status == 0 else status


def test_the_run_is_the_same_for_any_shards_blocks_and_threads(folders, monkeypatch):
    expected = retrieved(folders)
    assert expected.count(b"\n") == 40 * 30
    for shards in (1, 3, 8):
        for memory in ("1GiB", "9KB", "40KB"):
            for threads in ("1", "3"):
                monkeypatch.setenv("OMP_NUM_THREADS", threads)
                assert (
                    retrieved(folders, "--max-memory", memory, passages=[f"passages.{shards}"])
                    == expected
                )


def test_a_killed_retrieval_goes_on_to_the_same_bytes(folders, monkeypatch):
    expected = retrieved(folders)
    (folders / "a.run").unlink()
    monkeypatch.setattr(retrieve, "CHUNK_QUERIES", 15)
    replace, made = os.replace, []

    def dies_at_the_second_chunk(source, target):
        made.append(target.name)
        if "chunk-000001" in made:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", dies_at_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        retrieved(folders)
    monkeypatch.setattr(
        os, "replace", lambda source, target: (made.append(target.name), replace(source, target))
    )
    assert retrieved(folders) == expected
    assert made.count("chunk-000000") == 1 and made.count("chunk-000001") == 2


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(folders, capsys, number):
    vectors = np.ones((5, 24))
    vectors[3, 7] = number
    write_vectors(folders / "broken", list("abcde"), vectors)
    assert retrieved(folders, passages=["broken"]) == 2
    assert capsys.readouterr().err.endswith(
        "broken: expected finite vectors, got nan or inf in that of 'd'\n"
    )


def test_products_beyond_float32_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected inner products that float32 holds"):
        found(tmp_path, ["a"], [[1e20, 0]], [[1e20, 0]], 1)


def test_queries_of_another_size_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected queries of the passages' size 2, got 3"):
        found(tmp_path, ["a"], [[1, 0]], [[1, 0, 0]], 1)


def test_a_passage_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected each passage once, got 'b' again"):
        found(tmp_path, ["b", "a", "b"], np.eye(3), [[1, 0, 0]], 1)


def shard_folders(folder, *shards, **job):
    return [
        write_vectors(
            folder / f"{number}",
            [f"p{number}-{row}" for row in range(4)],
            np.eye(4) + number,
            shard=shard,
            **{"checkpoint": "m", "batch_tokens": 8} | job,
        )
        for number, shard in enumerate(shards)
    ]


def test_the_folders_of_all_shards_are_one_collection_in_any_order(tmp_path):
    first, second = shard_folders(tmp_path, "1/2", "2/2")
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
        VectorStore(shard_folders(tmp_path, *shards))


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
    directories = shard_folders(tmp_path, "1/2", "2/2")
    write_vectors(
        directories[1],
        ["x"],
        np.eye(1, 4),
        **{"shard": "2/2", "checkpoint": "m", "batch_tokens": 8} | changed,
    )
    with pytest.raises(DataError, match=message):
        VectorStore(directories)


def test_queries_of_another_checkpoint_are_refused(folders, capsys):
    write_vectors(folders / "queries", ["q"], np.ones((1, 24)), checkpoint="new")
    write_vectors(folders / "passages.1", ["p"], np.ones((1, 24)), checkpoint="old")
    assert retrieved(folders) == 2
    assert "expected vectors of the dual encoder that encoded" in capsys.readouterr().err


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF4,Flat"])
def test_an_approximate_index_prints_its_overlap_with_exact_search(folders, capsys, factory):
    run = retrieved(
        folders,
        "--index",
        factory,
        *(["--index-parameters", "nprobe=4"] if "IVF" in factory else []),
    )
    share = float(capsys.readouterr().err.split("finds ")[1].split()[0])
    exact = retrieved(folders, output="exact.run")
    pairs = [
        {tuple(line.split(b"\t")[:3:2]) for line in lines.splitlines()} for lines in (run, exact)
    ]
    assert share == pytest.approx(len(pairs[0] & pairs[1]) / len(pairs[1]), abs=1e-4)
    assert share > 0.5


def test_an_approximate_index_that_finds_too_few_gives_fewer_rows(folders, capsys):
    run = retrieved(folders, "--index", "IVF100,Flat")  # it looks at one of 100 lists
    assert 0 < run.count(b"\n") < 40 * 30 and b"-1" not in {
        line.split(b"\t")[2] for line in run.splitlines()
    }


@pytest.mark.parametrize(
    "factory, parameters", [("HNSV32", ""), ("IVF4096,Flat", ""), ("Flat", "nprobs=3")]
)
def test_an_index_that_faiss_cannot_make_is_refused_in_one_line(
    folders, capsys, factory, parameters
):
    assert retrieved(folders, "--index", factory, "--index-parameters", parameters) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("rocketqa retrieve: --index") and "from faiss: " in error


@pytest.mark.parametrize(
    "value, size",
    [
        ("1GiB", 2**30),
        ("500MB", 500_000_000),
        ("2k", None),
        ("1.5KiB", 1536),
        ("100", 100),
        ("0", None),
        ("1iB", None),
        ("", None),
    ],
)
def test_memory_is_a_number_with_a_unit(value, size, capsys):
    command = [
        "--output",
        "a",
        "--query-vectors",
        "b",
        "--passage-vectors",
        "c",
        "--depth",
        "1",
        "--max-memory",
        value,
    ]
    if size is None:
        with pytest.raises(SystemExit):
            retrieve.build_parser().parse_args(command)
    else:
        assert retrieve.build_parser().parse_args(command).max_memory == size


def test_one_block_of_vectors_is_in_memory_at_a_time(tmp_path):
    vectors = np.random.default_rng(1).standard_normal((20_000, 256), np.float32)  # 20 MB
    store = VectorStore([write_vectors(tmp_path, [f"p{i}" for i in range(20_000)], vectors)])
    search = ExactSearch(store, 4_000_000)
    tracemalloc.start()
    list(search.search(vectors[:20], 10))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4_000_000 < most < 6_500_000


@pytest.mark.parametrize("content", ["{", "[]", '{"job": 1}', '{"job": {"flags": {}}}', "\xff"])
def test_a_broken_manifest_is_refused_in_a_line(tmp_path, content):
    write_vectors(tmp_path, ["a"], [[1.0]])
    (tmp_path / "meta.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(
        DataError, match="meta.json: expected the manifest of an encoding, got something else"
    ):
        VectorStore([tmp_path])
