"""faiss on the GPU, and exact search, against products in float64."""

from pathlib import Path

import faiss
import numpy as np

from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.doctor.findings import ABSENT, WRONG, Judgement, judged
from rocketqa.doctor.machine import GPU_FAISS, version_of
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.search.block_index import BlockIndex, Gpus
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.vectors import VectorStore, shard_paths

PASSAGES, QUERIES, SIZE, DEPTH = 3000, 16, 96, 20
MAX_MEMORY = 2**20  # bytes: two blocks
TOLERANCE = 1e-3  # of a product in float32 or TF32, as a share of the largest one


def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns queries [Q, H], passages [N, H], and their products in float64 [Q, N]."""
    drawing = np.random.default_rng(5)
    queries = drawing.standard_normal((QUERIES, SIZE), np.float32)
    passages = drawing.standard_normal((PASSAGES, SIZE), np.float32)
    exact = queries.astype(np.float64) @ passages.astype(np.float64).T
    return queries, passages, exact


def faiss_on_gpu() -> Judgement:
    """Returns the finding about the products of faiss on the GPU."""
    gpus = faiss.get_num_gpus()
    if not gpus and number_of_gpus() and version_of(GPU_FAISS):
        return WRONG, f"expected {GPU_FAISS} to know {number_of_gpus()} GPUs, got none"
    if not gpus:
        return ABSENT, "no GPU, or no faiss-gpu: candidates are found on the CPU"
    queries, passages, exact = draw()
    scores, places = BlockIndex(passages, Gpus()).nearest(queries, DEPTH)  # [Q, K] both
    return judge_products(scores, places, exact, gpus)


def judge_products(
    scores: np.ndarray, places: np.ndarray, exact: np.ndarray, gpus: int
) -> Judgement:
    """Compares products [Q, K], and the passages that they are of, with all products [Q, N]."""
    error = np.abs(scores - np.take_along_axis(exact, places, axis=1)).max() / exact.max()
    return judged(
        bool(error < TOLERANCE),
        f"{gpus} GPUs: products {error:.0e} from float64",
        f"products at most {TOLERANCE:g} from float64",
    )


def search() -> Judgement:
    """Returns whether exact search ranks as products in float64 do."""
    queries, passages, exact = draw()
    with temporary_folder() as name:
        vectors_file, ids_file = shard_paths(Path(name), 0)
        np.save(vectors_file, passages)
        ids_file.write_text("".join(f"{row}\n" for row in range(PASSAGES)))
        rankings = list(ExactSearch(VectorStore([Path(name)]), MAX_MEMORY).search(queries, DEPTH))
    wanted = np.argsort(-exact, axis=1)[:, :DEPTH]  # [Q, K]
    wrong = 0
    for ranking, rows in zip(rankings, wanted):
        wrong += [passage_id for passage_id, _ in ranking] != list(map(str, rows))
    found = f"{QUERIES - wrong} of {QUERIES} rankings as by float64"
    return judged(not wrong, found, f"all {QUERIES} rankings as by float64")


CHECKS = {"faiss": faiss_on_gpu, "search": search}
