"""Folders of vectors as `rocketqa encode` makes them, and runs that are retrieved from them."""

import json
from pathlib import Path

import numpy as np

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.jobs.digests import file_digest, files_below, sealed_text
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore, shard_paths

QUERY_COUNT = 40
DEPTH = 30
SHARD_JOB = {"checkpoint": "m", "batch_tokens": 8}


def write_vectors(folder, ids, vectors, shards=1, dtype=np.float32, **job):
    """Writes a folder of vectors and returns it.

    job: flags and inputs of its manifest, "checkpoint" among them; without any there is none. The
    vectors are of a collection unless it has "queries".
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(ids)
    for shard in range(shards):
        begin = count * shard // shards
        end = count * (shard + 1) // shards
        if begin < end:
            vectors_file, ids_file = shard_paths(folder, shard)
            shard_vectors = np.asarray(vectors[begin:end], dtype)
            np.save(vectors_file, shard_vectors)
            write_lines(ids_file, ids[begin:end])
    if job:
        side = "queries" if "queries" in job else "collection"
        inputs = {
            "checkpoint": [job.pop("checkpoint")],
            side: [job.pop(side, "c")],
        }
        encoding = {"verb": "encode", "flags": job, "inputs": inputs}
        manifest = {"job": encoding}
        (folder / "meta.json").write_text(json.dumps(manifest))
    return folder


def write_encoding(folder, ids, vectors, collection, shards=1, **job):
    """Writes a folder of vectors whose manifest lists the digests of its files.

    collection: what stands for the digest of the file that was encoded.
    """
    job = SHARD_JOB | {"shard": None, "collection": collection} | job
    write_vectors(folder, ids, vectors, shards, **job)
    path = folder / "meta.json"
    manifest = json.loads(path.read_text())
    path.unlink()
    outputs = {file.name: file_digest(file) for file in files_below(folder)}
    path.write_text(sealed_text(manifest | {"outputs": outputs}))
    return folder


def write_shards(folder, *shards, **job):
    """Writes a folder for each shard, such as "1/2", and returns the folders."""
    folders = []
    for number, shard in enumerate(shards):
        ids = [f"p{number}-{row}" for row in range(4)]
        vectors = np.eye(4) + number
        shard_job = SHARD_JOB | {"shard": shard} | job
        written = write_vectors(folder / f"{number}", ids, vectors, **shard_job)
        folders.append(written)
    return folders


def exact_rankings(folder, ids, vectors, queries, depth, max_memory=2**30, **how):
    """Returns the rankings of an exact search of vectors that are written to a folder first."""
    write_vectors(folder / "passages", ids, vectors, **how)
    store = VectorStore([folder / "passages"])
    search = ExactSearch(store, max_memory)
    query_vectors = np.asarray(queries, np.float32)
    return list(search.search(query_vectors, depth))


def hard_collections():
    """Returns passages [N, 24] that are hard to rank exactly, by name."""
    random = np.random.default_rng(7)
    plain = random.standard_normal((700, 24)).astype(np.float32)
    duplicates = np.repeat(plain[100:101], 600, axis=0)
    near = plain[:1] + np.float32(1e-6) * plain
    outlier = plain[-1:] * np.float32(1e6)
    exponents = random.integers(-12, 12, (700, 1))
    scales = np.float32(10) ** exponents.astype(np.float32)
    return {
        "plain": plain,
        "near": near,
        "duplicates": np.concatenate([plain[:100], duplicates]),
        "equal": np.ones_like(plain),
        "signs": np.sign(plain),
        "zeros": np.zeros_like(plain),
        "denormal": plain * np.float32(1e-40),
        "huge": plain * np.float32(1e17),
        "outlier": np.concatenate([plain[:-1], outlier]),
        "opposite": np.concatenate([plain[:350], -plain[:350]]),
        "large and small": plain * scales,
    }


def write_queries_and_passages(folder: Path) -> None:
    """Writes 40 queries, and 900 passages with many duplicates: in 1, in 3 and in 8 files."""
    random = np.random.default_rng(4)
    different = random.standard_normal((900, 24))
    rows = random.integers(0, 300, 900)
    vectors = different[rows]
    ids = [f"p{number}" for number in random.permutation(900)]
    query_ids = [f"q{number}" for number in range(QUERY_COUNT)]
    queries = random.standard_normal((QUERY_COUNT, 24))
    write_vectors(folder / "queries", query_ids, queries)
    for shards in (1, 3, 8):
        write_vectors(folder / f"passages.{shards}", ids, vectors, shards)


def retrieve(folder, *flags, passages=("passages.1",), output="a.run"):
    """Returns the bytes of the run that `rocketqa retrieve` writes, or its status if not 0."""
    (folder / output).unlink(missing_ok=True)
    words = ["retrieve", "--output", folder / output]
    words += ["--query-vectors", folder / "queries"]
    words += ["--depth", DEPTH]
    words += ["--passage-vectors", *(folder / name for name in passages)]
    words += flags
    status = main([str(word) for word in words])
    if status != 0:
        return status
    return (folder / output).read_bytes()
