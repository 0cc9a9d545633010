"""faiss-gpu without its GPUs is wrong, and so is a ranking that float64 does not give."""

import numpy as np
from pretended_gpus import A100, pretend_gpus

from rocketqa.doctor import machine
from rocketqa.doctor.findings import ABSENT, OK, WRONG
from rocketqa.doctor.searching import DEPTH, draw, faiss_on_gpu, judge_products, search
from rocketqa.search.block_index import BlockIndex, Gpus


def test_without_a_gpu_the_search_is_on_the_cpu():
    assert faiss_on_gpu() == (ABSENT, "no GPU, or no faiss-gpu: candidates are found on the CPU")


def test_a_faiss_for_gpus_that_sees_none_is_wrong(monkeypatch):
    pretend_gpus(monkeypatch, A100, A100)
    assert faiss_on_gpu()[0] == ABSENT  # with faiss-cpu
    monkeypatch.setattr(machine, "version", lambda package: "1.15.1")
    assert faiss_on_gpu() == (WRONG, "expected faiss-gpu to know 2 GPUs, got none")


def test_exact_search_ranks_as_float64():
    assert search() == (OK, "16 of 16 rankings as by float64")


def test_products_of_other_passages_are_wrong():
    queries, passages, exact = draw()
    scores, places = BlockIndex(passages, Gpus()).nearest(queries, DEPTH)
    assert judge_products(scores, places, exact, 1)[0] == OK
    assert judge_products(scores, np.roll(places, 1, axis=1), exact, 1)[0] == WRONG
