"""The toy world has the paper's problem in it, and no way to learn it by heart."""

import subprocess
import sys
from pathlib import Path

import pytest

from rocketqa.files.formats import read_collection, read_positives, read_queries

ROOT = Path(__file__).parents[1]
SPLITS = ("train", "dev", "unlabelled")


def build(folder: Path, *flags: str) -> Path:
    subprocess.run(
        [sys.executable, "data_prep/toy.py", "--output", folder, *flags],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(tmp_path_factory.mktemp("toy") / "data")


def test_sizes_and_labels(world):
    counts = {split: len(read_queries(world / f"queries.{split}.tsv")) for split in SPLITS}
    assert counts == {"train": 400, "dev": 300, "unlabelled": 3000}
    assert len(read_collection(world / "collection.tsv")) == 3600
    for split in ("train", "dev"):
        labels, truth = (
            read_positives(world / f"{kind}.{split}.tsv") for kind in ("qrels", "truth")
        )
        assert 1.05 <= sum(map(len, labels.values())) / counts[split] <= 1.15
        assert all(len(relevant) == 6 for relevant in truth.values())
        assert all(set(labels[query_id]) <= set(truth[query_id]) for query_id in truth)
    assert not (world / "qrels.unlabelled.tsv").exists()


def test_dev_asks_of_facts_that_no_other_query_asks_of(world):
    asked = {
        split: {
            passage_id
            for relevant in read_positives(world / f"truth.{split}.tsv").values()
            for passage_id in relevant
        }
        for split in SPLITS
    }
    assert asked["dev"].isdisjoint(asked["train"] | asked["unlabelled"])


def test_no_query_comes_twice_and_every_word_of_dev_is_known_to_training_texts(world):
    queries = {
        split: [query.text for query in read_queries(world / f"queries.{split}.tsv").values()]
        for split in SPLITS
    }
    texts = sum(queries.values(), [])
    assert len(set(texts)) == len(texts)
    from rocketqa.text.tokenizer import load_text_encoder

    tokenize = load_text_encoder(world / "init_dual").tokenize
    unknown = 1
    assert all(unknown not in ids for ids in tokenize(texts))
    passages = [passage.text for passage in read_collection(world / "collection.tsv").values()]
    assert all(unknown not in ids for ids in tokenize(passages))


def test_the_same_seed_makes_the_same_world_and_another_seed_another(world, tmp_path):
    again, other = build(tmp_path / "again"), build(tmp_path / "other", "--seed", "2")
    for name in (
        "collection.tsv",
        "queries.dev.tsv",
        "qrels.train.tsv",
        "init_cross/model.safetensors",
    ):
        assert (again / name).read_bytes() == (world / name).read_bytes()
        assert (other / name).read_bytes() != (world / name).read_bytes()
