"""A passage is found by its id in a collection that stays on disk."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from rocketqa.files import collection as collection_module
from rocketqa.files.collection import CollectionFile, IdIndex, PassagesOfFiles, entry_with_id
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, line_of, read_collection, write_lines

PASSAGES = [
    Passage(f"p{number}", f"título {number}" if number % 3 else "", f"text é {number}")
    for number in range(500)
]


@pytest.fixture(params=["hashes", "one hash"])
def hashing(request, monkeypatch) -> str:
    """Makes ids have their own hashes, or all the same one; returns which of them."""
    if request.param == "one hash":
        all_ids_share_one = defaultdict(lambda: 2**64 - 1)
        monkeypatch.setattr(collection_module, "_hash", all_ids_share_one.__getitem__)
    return request.param


def test_every_passage_is_found_by_its_id_and_no_other(tmp_path, hashing):
    path = tmp_path / "collection.tsv"
    passages = PASSAGES[:40]
    write_lines(path, map(line_of, passages))
    collection = CollectionFile(path)
    assert dict(collection) == read_collection(path)
    for passage in reversed(passages):
        assert collection[passage.passage_id] == passage
    assert "p39" in collection and "p40" not in collection and "" not in collection
    assert 39 not in collection
    assert len(collection) == 40
    with pytest.raises(KeyError, match="p40"):
        collection["p40"]


def test_a_repeated_id_is_refused_at_its_second_line(tmp_path, hashing):
    path = tmp_path / "collection.tsv"
    write_lines(path, ["a\t\ttext", "b\t\ttext", "c\t\ttext", "b\t\ttext", "a\t\ttext"])
    with pytest.raises(DataError) as error:
        CollectionFile(path)
    assert str(error.value) == f"{path}:4: expected each id once, got 'b' again"


def test_threads_share_a_collection(tmp_path):
    write_lines(tmp_path / "collection.tsv", map(line_of, PASSAGES))
    collection = CollectionFile(tmp_path / "collection.tsv")
    passage_ids = [passage.passage_id for passage in PASSAGES] * 4
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(collection.__getitem__, passage_ids))
    assert read == PASSAGES * 4


def test_the_candidates_of_an_id_are_its_positions_and_others_of_its_hash(hashing):
    index = IdIndex(["a", "b", "a", "c", "b", "a"])
    everything = [0, 1, 2, 3, 4, 5]
    assert index.candidates("a") == ([0, 2, 5] if hashing == "hashes" else everything)
    assert index.candidates("x") == ([] if hashing == "hashes" else everything)


def test_the_positions_of_a_repeated_hash_come_together_and_in_order(hashing):
    index = IdIndex(["a", "b", "a", "c", "b", "a"])
    collisions = sorted(index.collisions())
    if hashing == "hashes":
        assert collisions == [[0, 2, 5], [1, 4]]
    else:
        assert collisions == [[0, 1, 2, 3, 4, 5]]


def test_an_id_without_an_entry_is_refused_with_its_source():
    assert entry_with_id({"q1": 7}, "q1", "queries") == 7
    with pytest.raises(DataError) as error:
        entry_with_id({"q1": 7}, "q2", "queries")
    assert str(error.value) == "queries: expected one with the id 'q2', got none"


def test_a_passage_of_several_files_is_that_of_the_file_that_keeps_it(tmp_path):
    first, second = tmp_path / "first.tsv", tmp_path / "second.tsv"
    write_lines(first, ["p0\t\told", "p1\t\tgone", "p2\t\tkept"])
    write_lines(second, ["p3\t\tadded", "p0\t\tnew"])
    left_out = {"p0", "p1", "another"}
    files = [(CollectionFile(first), left_out), (CollectionFile(second), set())]
    passages = PassagesOfFiles(files)
    texts = {name: passages[name].text for name in passages}
    assert texts == {"p2": "kept", "p3": "added", "p0": "new"}
    assert len(passages) == 3 and "p1" not in passages
