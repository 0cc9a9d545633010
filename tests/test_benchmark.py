"""`rocketqa benchmark` measures what it says: chunks need less memory, and all peers do the same work."""

import re
import subprocess

import numpy as np
import pytest
from data_prep_runs import ROOT
from toy_files import ENVIRONMENT, verb, write_tiny_flight

from rocketqa.benchmark import contenders as peers
from rocketqa.benchmark.contenders import PEERS, drawn_texts, training_batches
from rocketqa.benchmark.data_build import cost, write_sources
from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_collection, read_positives


def test_chunks_need_less_memory_than_the_batch_at_once():
    done = subprocess.run(
        verb(
            "benchmark",
            "--batch-size",
            64,
            "--chunk-size",
            4,
            "--layers",
            2,
            "--hidden-size",
            96,
            "--passage-length",
            96,
            "--largest",
            4,
            "--memory",
            8,
        ),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    header, direct, chunks, ratio, above, *largest = done.stdout.splitlines()
    assert header.split("\t") == ["what", "batch", "chunks", "seconds a step", "peak memory, GiB"]
    assert direct.split("\t")[:3] == ["direct", "64", "1"] and chunks.split("\t")[:3] == [
        "chunks",
        "64",
        "16",
    ]
    assert float(re.search(r"ratio ([\d.]+)", above)[1]) < 0.6
    assert largest == [
        f"largest batch within 8 GiB, {what}: 4 (the largest tried)"
        for what in ("direct", "chunks")
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_flight(folder)
    return folder


def test_ours_and_the_plain_loop_are_measured_side_by_side(tiny):
    done = subprocess.run(
        verb(
            "benchmark",
            "speed",
            "--weights",
            tiny / "init",
            "--rows",
            36,
            "--rounds",
            1,
            "--collection",
            tiny / "collection.tsv",
            "--queries",
            tiny / "queries.tsv",
            "--works",
            "score",
            "--peers-python",
            "false",
        ),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == ["work", "by", "rows a second", "peak memory, GiB", "ours is"]
    assert [row[:2] for row in rows] == [
        ["score", name]
        for name in ("ours", "ours, reduced", "ours, one thread", "padded PaddleNLP")
    ]
    assert all(float(value) > 0 for row in rows for value in row[2:]) and float(rows[0][4]) == 1
    assert "false: no sentence-transformers there, so it is left out" in done.stderr


def test_the_plain_loop_trains_and_encodes_the_texts_that_ours_does(tiny, monkeypatch):
    monkeypatch.setattr(peers, "ROWS_A_BATCH", 8)
    texts = drawn_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)
    assert [len(part) for batch in training_batches(texts) for part in batch] == [8] * 6
    for name in ("ours", "padded PaddleNLP"):
        for work in ("encode", "train"):
            PEERS[name](work, str(tiny / "init"), texts)()
    vectors = PEERS["ours"]("encode", str(tiny / "init"), texts)()
    assert vectors.shape == (32, 16) and np.isfinite(vectors).all()


def test_search_is_measured_beside_faiss():
    done = subprocess.run(
        verb("benchmark", "search", "--sizes", 2000, "--rounds", 1),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["2000", "100"], ["2000", "1000"]]
    assert all(
        float(row[4]) == pytest.approx(float(row[2]) / float(row[3]), abs=0.1) for row in rows
    )


def test_building_a_collection_is_measured_in_a_process_of_its_own():
    script = ROOT / "data_prep/marco.py"
    done = subprocess.run(
        verb("benchmark", "data", "--sizes", 100, 20_000, "--data-prep", script),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == [
        "passages",
        "seconds",
        "passages a second",
        "processor seconds",
        "peak memory, MiB",
    ]
    assert [row[0] for row in rows] == ["100", "20000"] and all(
        20 < float(row[4]) < 1024 for row in rows
    )
    assert float(rows[1][2]) == pytest.approx(20_000 / float(rows[1][1]), rel=0.5)


def test_made_up_sources_build_all_files_of_a_collection(tmp_path):
    write_sources(tmp_path / "sources", 60)
    assert cost(ROOT / "data_prep/marco.py", tmp_path / "sources", tmp_path / "out").peak > 2**20
    passages = read_collection(tmp_path / "out/collection.tsv")
    assert (
        len(passages) == 60
        and passages["7"].title == "Title 7"
        and len(passages["7"].text.split()) == 56
    )
    assert len({passage.text for passage in passages.values()}) == 60
    assert read_positives(tmp_path / "out/qrels.train.tsv") == {"0": ["0"], "1": ["1"], "2": ["2"]}
    assert main(["validate", str(tmp_path / "out")]) == 0
    with pytest.raises(
        DataError,
        match="marco.py: expected it to build .*, got data_prep/marco.py: .*para.title.txt",
    ):
        (tmp_path / "sources/marco/para.title.txt").unlink()
        cost(ROOT / "data_prep/marco.py", tmp_path / "sources", tmp_path / "other")
