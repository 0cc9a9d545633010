"""A file is complete or absent, and an unreadable note counts as none."""

import numpy as np
import pytest

from rocketqa.jobs.atomic_files import (
    complete_file,
    join_pieces,
    read_object,
    write_array,
    write_atomically,
    write_piece,
)


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_under_its_name_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with complete_file(path) as unfinished:
        unfinished.write_text("half")
        assert names(tmp_path) == {"a.txt.tmp"}
    assert path.read_text() == "half"
    assert names(tmp_path) == {"a.txt"}


def test_an_error_leaves_the_older_file_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    with pytest.raises(ZeroDivisionError), complete_file(path) as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"


def test_an_error_leaves_no_file_where_none_was(tmp_path):
    with pytest.raises(ZeroDivisionError), complete_file(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert not (tmp_path / "a.txt").exists()


def test_a_text_is_written_in_utf_8(tmp_path):
    write_atomically(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
def test_an_array_is_read_back(tmp_path, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    write_array(tmp_path / "a.npy", values)
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == dtype and (found == values).all()
    assert names(tmp_path) == {"a.npy"}


def test_pieces_are_joined_in_their_order_and_their_lines_counted(tmp_path):
    pieces = [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    write_piece(pieces[0], ["a", "b"])
    write_piece(pieces[1], [])
    write_piece(pieces[2], ["é"])
    assert join_pieces(pieces, tmp_path / "all") == 3
    assert (tmp_path / "all").read_bytes() == "a\nb\né\n".encode()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"\xff", b"[" * 100_000])
def test_an_unreadable_object_is_empty(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert read_object(tmp_path / "a.json") == {}


def test_a_missing_object_is_empty_and_a_sound_one_is_read(tmp_path):
    assert read_object(tmp_path / "a.json") == {}
    assert read_object(tmp_path) == {}
    write_atomically(tmp_path / "a.json", '{"a": [1]}')
    assert read_object(tmp_path / "a.json") == {"a": [1]}
