"""A file is complete or absent, and an unreadable note counts as none."""

import pytest

from rocketqa.jobs.atomic_files import complete_file, read_object, write_atomically


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


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"\xff", b"[" * 100_000])
def test_an_unreadable_object_is_empty(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert read_object(tmp_path / "a.json") == {}


def test_a_missing_object_is_empty_and_a_sound_one_is_read(tmp_path):
    assert read_object(tmp_path / "a.json") == {}
    assert read_object(tmp_path) == {}
    write_atomically(tmp_path / "a.json", '{"a": [1]}')
    assert read_object(tmp_path / "a.json") == {"a": [1]}
