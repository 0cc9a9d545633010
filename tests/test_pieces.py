"""A finished piece is believed by the note of its digest alone."""

import hashlib

import pytest
from damage import DAMAGES, flip

from rocketqa.files.errors import DataError
from rocketqa.jobs.pieces import (
    NOTES,
    checked_digest,
    is_whole,
    join_pieces,
    new_piece,
    write_piece,
)


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_note_of_a_piece_is_a_line_of_sha256sum(tmp_path):
    write_piece(tmp_path / "a", ["x"])
    sha256 = hashlib.sha256(b"x\n").hexdigest()
    assert (tmp_path / NOTES / "a").read_text() == f"{sha256}  a\n"
    assert is_whole(tmp_path / "a") and checked_digest(tmp_path / "a") == sha256


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["a", f"{NOTES}/a"])
def test_a_damaged_piece_or_note_is_not_believed(tmp_path, file, damage):
    write_piece(tmp_path / "a", ["x", "y"])
    damage(tmp_path / file)
    assert not is_whole(tmp_path / "a")
    complaint = f"{tmp_path}/a: expected the bytes that were written, got others: call again"
    with pytest.raises(DataError, match=complaint):
        checked_digest(tmp_path / "a")
    with pytest.raises(DataError, match=complaint):
        join_pieces([tmp_path / "a"], tmp_path / "all")


def test_exchanged_pieces_are_not_believed_nor_are_exchanged_notes(tmp_path):
    for folder in (tmp_path, tmp_path / NOTES):
        write_piece(tmp_path / "a", ["1"])
        write_piece(tmp_path / "b", ["2"])
        (folder / "a").rename(folder / "c")
        (folder / "b").rename(folder / "a")
        (folder / "c").rename(folder / "b")
        assert not is_whole(tmp_path / "a") and not is_whole(tmp_path / "b")


def test_a_file_without_a_note_is_no_finished_piece(tmp_path):
    (tmp_path / "a").write_text("x")
    assert not is_whole(tmp_path / "a")
    assert checked_digest(tmp_path / "a") == hashlib.sha256(b"x").hexdigest()
    assert not is_whole(tmp_path / "b")


def test_a_piece_that_a_kill_has_left_unfinished_is_not_there(tmp_path):
    with pytest.raises(ZeroDivisionError), new_piece(tmp_path / "a") as unfinished:
        unfinished.write_text("half")
        raise ZeroDivisionError
    assert not is_whole(tmp_path / "a")


def test_pieces_are_joined_in_their_order_and_their_lines_counted(tmp_path):
    pieces = [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    write_piece(pieces[0], ["a", "b"])
    write_piece(pieces[1], [])
    write_piece(pieces[2], ["é"])
    assert join_pieces(pieces, tmp_path / "all") == 3
    assert (tmp_path / "all").read_bytes() == "a\nb\né\n".encode()
    flip(tmp_path / "all")
    with pytest.raises(DataError, match="all: expected the bytes that were written"):
        checked_digest(tmp_path / "all")
