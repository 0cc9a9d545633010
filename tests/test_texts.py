"""The text of an answer is that of the file whose vector was found, also after a change."""

from pathlib import Path

import numpy as np
import pytest
from tiny_service import run, write_encoded_collection

from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_collection, write_lines
from rocketqa.search.texts import texts_of
from rocketqa.search.vectors import VectorStore

GONE = ["p0", "p5"]
CHANGED = {"p1": "w9 w8 w7", "p2": "w2 w2 w2"}
ADDED = {"n1": "w1 w2 w3", "n2": "w4"}
FOLDERS = ("vectors", "removed", "added")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A collection that was encoded, its changes, and a full encoding of what came of it."""
    folder = tmp_path_factory.mktemp("grown")
    write_encoded_collection(folder)
    passages = read_collection(folder / "collection.tsv")
    write_lines(folder / "gone.txt", [*GONE, *CHANGED])
    later = [f"{passage_id}\tlater\t{text}" for passage_id, text in (CHANGED | ADDED).items()]
    write_lines(folder / "added.tsv", later)
    kept = passages.keys() - {*GONE, *CHANGED}
    now = ["\t".join(passages[passage_id]) for passage_id in sorted(kept)]
    write_lines(folder / "now.tsv", later + now)
    run("remove-passages", "--ids", folder / "gone.txt", *vectors(folder, "vectors", "removed"))
    encode(folder, "added")
    encode(folder, "now")
    return folder


def encode(folder: Path, name: str) -> None:
    sources = ["--checkpoint", folder / "dual", "--collection", folder / f"{name}.tsv"]
    run("encode", *sources, "--output", folder / name)


def vectors(folder: Path, name: str, output: str) -> list[object]:
    return ["--passage-vectors", folder / name, "--output", folder / output]


def grown_vectors(folder: Path) -> list[Path]:
    return [folder / name for name in FOLDERS]


def files(folder: Path) -> list[Path]:
    return [folder / "collection.tsv", folder / "added.tsv"]


def test_the_texts_are_those_of_the_collection_as_it_is_now(folder):
    expected = read_collection(folder / "now.tsv")
    for order in (1, -1):
        store = VectorStore(grown_vectors(folder)[::order])
        texts = texts_of(store, files(folder)[::order])
        assert dict(texts) == expected and len(texts) == len(expected)
        assert set(store.ids) == texts.keys()


def test_the_vectors_are_those_of_a_full_encoding_within_rounding(folder):
    full = VectorStore([folder / "now"])
    grown = VectorStore(grown_vectors(folder))
    expected = dict(zip(full.ids, full.read(0, len(full))))
    assert len(grown) == len(expected)
    for passage_id, vector in zip(grown.ids, grown.read(0, len(grown))):
        np.testing.assert_allclose(vector, expected[passage_id], rtol=0, atol=1e-5)


def test_search_takes_a_collection_for_each_encoding_and_a_query_behind_all_folders(folder):
    words = ["--checkpoint", folder / "dual", "--passage-vectors", *grown_vectors(folder)]
    for path in files(folder):
        words = ["--collection", path, *words]
    printed = run("search", "--depth", 50, *words, "w9 w8 w7")
    assert "\tp1\tlater\n\tw9 w8 w7\n" in printed
    assert "\tn1\tlater\n" in printed
    assert "\tp0\t" not in printed and "\tp5\t" not in printed


@pytest.mark.parametrize(
    "names, message",
    [
        (["collection"], "^--collection: expected the file that .*added was encoded with, too, "),
        (["added"], "^--collection: expected the file that .*vectors was encoded with, too, got 1"),
        (["collection", "added", "now"], "now.tsv: expected the collection that .*vectors was enc"),
        (["collection", "now"], "now.tsv: expected the collection that .*added was encoded with"),
    ],
)
def test_each_encoding_needs_its_own_file(folder, names, message):
    paths = [folder / f"{name}.tsv" for name in names]
    store = VectorStore(grown_vectors(folder))
    with pytest.raises(DataError, match=message):
        texts_of(store, paths)
