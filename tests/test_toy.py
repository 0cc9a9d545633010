"""The toy data shows the paper's problem, and its dev queries cannot be answered from memory."""

from pathlib import Path

import numpy as np
import pytest
from data_prep_runs import call_alone, data_prep_module

from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_collection, read_positives, read_queries

SPLITS = ("train", "dev", "unlabelled")


def build(folder: Path, *flags: str) -> Path:
    """Builds the toy data into a folder as a user does, and returns the folder."""
    status, stderr = call_alone("toy.py", "--output", folder, *flags)
    assert status == 0, stderr
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the toy data of the default flags."""
    return build(tmp_path_factory.mktemp("toy") / "data")


def test_sizes_and_labels(world):
    counts = {split: len(read_queries(world / f"queries.{split}.tsv")) for split in SPLITS}
    assert counts == {"train": 400, "dev": 300, "unlabelled": 3000}
    assert len(read_collection(world / "collection.tsv")) == 3600
    for split in ("train", "dev"):
        labels = read_positives(world / f"qrels.{split}.tsv")
        truth = read_positives(world / f"truth.{split}.tsv")
        label_count = sum(len(passage_ids) for passage_ids in labels.values())
        assert 1.05 <= label_count / counts[split] <= 1.15
        for query_id, relevant in truth.items():
            assert len(relevant) == 6
            assert set(labels[query_id]) <= set(relevant)
    assert not (world / "qrels.unlabelled.tsv").exists()


def relevant_passages(world: Path, split: str) -> set[str]:
    """Returns the passages that are relevant to any query of a split."""
    truth = read_positives(world / f"truth.{split}.tsv")
    return set().union(*truth.values())


def test_dev_queries_ask_about_facts_that_no_other_query_asks_about(world):
    dev = relevant_passages(world, "dev")
    assert dev.isdisjoint(relevant_passages(world, "train"))
    assert dev.isdisjoint(relevant_passages(world, "unlabelled"))


def query_texts(world: Path) -> list[str]:
    """Returns the texts of the queries of all splits."""
    texts = []
    for split in SPLITS:
        queries = read_queries(world / f"queries.{split}.tsv")
        texts += [query.text for query in queries.values()]
    return texts


def test_no_query_occurs_twice(world):
    texts = query_texts(world)
    assert len(set(texts)) == len(texts)


def test_the_vocabulary_has_every_word_of_queries_and_passages(world):
    from rocketqa.text.tokenizer import load_text_encoder

    tokenize = load_text_encoder(world / "init_dual").tokenize
    unknown = 1
    passages = read_collection(world / "collection.tsv").values()
    texts = query_texts(world) + [passage.text for passage in passages]
    assert all(unknown not in ids for ids in tokenize(texts))


class EveryText(set):
    """A set that has every text in it."""

    def __contains__(self, text: object) -> bool:
        return True


def test_more_queries_than_wordings_are_refused():
    toy = data_prep_module("toy")
    args = toy.build_parser().parse_args(["--output", "toy", "--entities", "1"])
    world = toy.make_world(args)
    with pytest.raises(DataError, match="--unlabelled-queries: expected fewer, got more than "):
        toy.new_query(np.random.default_rng(1), world, 0, EveryText())


def test_the_same_seed_makes_the_same_data_and_another_seed_other_data(world, tmp_path):
    again = build(tmp_path / "again")
    other = build(tmp_path / "other", "--seed", "2")
    for name in (
        "collection.tsv",
        "queries.dev.tsv",
        "qrels.train.tsv",
        "init_cross/model.safetensors",
    ):
        assert (again / name).read_bytes() == (world / name).read_bytes()
        assert (other / name).read_bytes() != (world / name).read_bytes()
