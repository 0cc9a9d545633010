"""A passage is found by its id in a collection that stays on disk."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rocketqa.files import collection as lookup
from rocketqa.files.collection import CollectionFile, IdPlaces
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, line_of, read_collection, write_lines

PASSAGES = [
    Passage(f"p{number}", f"título {number}" if number % 3 else "", f"text é {number}")
    for number in range(500)
]


@pytest.fixture(params=["hashes", "one hash"])
def hashing(request, monkeypatch):
    """Ids with hashes of their own, and ids that all share one."""
    if request.param == "one hash":
        monkeypatch.setattr(lookup, "_hash", lambda identifier: 2**64 - 1)


def test_every_passage_is_found_by_its_id_and_no_other(tmp_path, hashing):
    write_lines(tmp_path / "collection.tsv", map(line_of, PASSAGES[:40]))
    collection = CollectionFile(tmp_path / "collection.tsv")
    assert dict(collection) == read_collection(tmp_path / "collection.tsv")
    assert [collection[passage.passage_id] for passage in reversed(PASSAGES[:40])] == PASSAGES[
        39::-1
    ]
    assert "p40" not in collection and "" not in collection and len(collection) == 40


def test_a_repeated_id_is_refused_at_its_second_line(tmp_path, hashing):
    write_lines(
        tmp_path / "collection.tsv",
        ["a\t\ttext", "b\t\ttext", "c\t\ttext", "b\t\ttext", "a\t\ttext"],
    )
    with pytest.raises(DataError) as error:
        CollectionFile(tmp_path / "collection.tsv")
    assert (
        str(error.value) == f"{tmp_path / 'collection.tsv'}:4: expected each id once, got 'b' again"
    )


def test_threads_share_a_collection(tmp_path):
    write_lines(tmp_path / "collection.tsv", map(line_of, PASSAGES))
    collection = CollectionFile(tmp_path / "collection.tsv")
    with ThreadPoolExecutor(8) as threads:
        assert (
            list(threads.map(lambda passage: collection[passage.passage_id], PASSAGES * 4))
            == PASSAGES * 4
        )


def test_places_come_in_order_and_shared_hashes_together(hashing):
    places = IdPlaces(["a", "b", "a", "c", "b", "a"])
    assert {0, 2, 5} <= set(places.of("a")) and list(places.of("a")) == sorted(places.of("a"))
    assert sorted(place for shared in places.shared() for place in shared if place != 3) == [
        0,
        1,
        2,
        4,
        5,
    ]
