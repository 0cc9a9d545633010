"""A list of removed passages is read from its folder, with the folders that it belongs to."""

import pytest
from vectors_fixture import write_encoding

from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.search.ids import IdList
from rocketqa.search.removals import ids_to_remove, removals_in


def test_a_list_belongs_to_the_folders_that_it_was_made_with_by_their_bytes(tmp_path):
    vectors = [[1.0], [2.0], [3.0]]
    first = write_encoding(tmp_path / "first", ["a", "b", "c"], vectors, "1")
    later = write_encoding(tmp_path / "later", ["d"], [[4.0]], "2")
    removed = tmp_path / "removed"
    (tmp_path / "gone.txt").write_text("c\na\n")
    words = ["--ids", tmp_path / "gone.txt", "--passage-vectors", first, "--output", removed]
    assert main(["remove-passages", *map(str, words)]) == 0
    assert removals_in([first, later]) == []
    assert removals_in([later, removed, first]) == [({"a", "c"}, {first})]
    moved = first.rename(tmp_path / "moved")
    assert removals_in([removed, moved]) == [({"a", "c"}, {moved})]
    with pytest.raises(DataError, match="removed: expected the folder .*first, which it was made"):
        removals_in([later, removed])


def test_the_ids_to_remove_keep_the_order_of_their_file(tmp_path):
    path = tmp_path / "gone.txt"
    path.write_text("c\na\n")
    assert ids_to_remove(path, IdList([b"a\nb\nc\n"])) == ["c", "a"]
    with pytest.raises(DataError, match="gone.txt:1: expected a passage_id of the vectors, got"):
        ids_to_remove(path, IdList([b"a\nb\n"]))
