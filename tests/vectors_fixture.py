"""Folders of vectors as `rocketqa encode` makes them, and runs that are retrieved from them."""

import json
from pathlib import Path

import numpy as np

from rocketqa.cli.__main__ import main
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore, shard_paths

QUERY_COUNT = 40
DEPTH = 30


def write_vectors(folder, ids, vectors, shards=1, dtype=np.float32, **job):
    """Writes a folder of vectors and returns it; `job`: flags and inputs of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = [len(ids) * shard // shards for shard in range(shards + 1)]
    for shard, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        if begin < end:
            vectors_file, ids_file = shard_paths(folder, shard)
            np.save(vectors_file, np.asarray(vectors[begin:end], dtype))
            ids_file.write_text("".join(f"{name}\n" for name in ids[begin:end]))
    if job:
        inputs = {
            "checkpoint": [job.pop("checkpoint")],
            "collection": [job.pop("collection", "c")],
        }
        manifest = {"job": {"flags": job, "inputs": inputs}, "outputs": {}}
        (folder / "meta.json").write_text(json.dumps(manifest))
    return folder


def write_shards(folder, *shards, **job):
    """Writes a folder for each shard, such as "1/2", and returns the folders."""
    folders = []
    for number, shard in enumerate(shards):
        ids = [f"p{number}-{row}" for row in range(4)]
        shard_job = {"checkpoint": "m", "batch_tokens": 8, "shard": shard} | job
        folders.append(write_vectors(folder / f"{number}", ids, np.eye(4) + number, **shard_job))
    return folders


def exact_rankings(folder, ids, vectors, queries, depth, max_memory=2**30, **how):
    """Returns the rankings of an exact search of vectors that are written to a folder first."""
    store = VectorStore([write_vectors(folder / "passages", ids, vectors, **how)])
    search = ExactSearch(store, max_memory)
    return list(search.search(np.asarray(queries, np.float32), depth))


def write_queries_and_passages(folder: Path) -> None:
    """Writes 40 queries, and 900 passages with many duplicates: in 1, in 3 and in 8 files."""
    random = np.random.default_rng(4)
    different = random.standard_normal((900, 24)).astype(np.float32)
    vectors = different[random.integers(0, 300, 900)]
    ids = [f"p{number}" for number in random.permutation(900)]
    query_ids = [f"q{number}" for number in range(QUERY_COUNT)]
    write_vectors(folder / "queries", query_ids, random.standard_normal((QUERY_COUNT, 24)))
    for shards in (1, 3, 8):
        write_vectors(folder / f"passages.{shards}", ids, vectors, shards)


def retrieve(folder, *flags, passages=("passages.1",), output="a.run"):
    """Returns the bytes of the run that `rocketqa retrieve` writes, or its status if not 0."""
    (folder / output).unlink(missing_ok=True)
    command = ["retrieve", "--output", folder / output, "--query-vectors", folder / "queries"]
    command += ["--depth", DEPTH, "--passage-vectors", *(folder / name for name in passages)]
    status = main([str(word) for word in [*command, *flags]])
    return (folder / output).read_bytes() if status == 0 else status
