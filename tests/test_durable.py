"""What is renamed is on disk before and after, with the modes of new files."""

import errno
import os
from pathlib import Path

import pytest
from power_cuts import recorded

from rocketqa.jobs.durable import make_folder, put_in_place, remove, sync, usual_mode


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_renamed_folder_has_its_bytes_and_its_name_on_disk(tmp_path):
    with recorded(tmp_path) as recording:
        make_folder(tmp_path / "a.part/below")
        (tmp_path / "a.part/below/file").write_text("x")
        put_in_place(tmp_path / "a.part", tmp_path / "a")
    last = recording.instants[-1]
    on_disk = recording.instants[last.safe]
    assert set(on_disk.names) == {"a", "a/below", "a/below/file"}
    assert list(last.synced.values()) == [b"x"]


def test_the_folders_that_are_made_are_on_disk(tmp_path):
    with recorded(tmp_path) as recording:
        make_folder(tmp_path / "a/b/c")
        make_folder(tmp_path / "a/b/c")
    assert set(recording.instants[recording.instants[-1].safe].names) == {"a", "a/b", "a/b/c"}


@pytest.mark.parametrize("umask, expected", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_the_modes_whatever_a_library_has_given(tmp_path, umask, expected):
    before = os.umask(umask)
    try:
        (tmp_path / "a.part/below").mkdir(parents=True)
        for name, mode in (("a", 0o600), ("below/b", 0o644), ("c", 0o755)):
            (tmp_path / "a.part" / name).write_text(name)
            (tmp_path / "a.part" / name).chmod(mode)
        put_in_place(tmp_path / "a.part", tmp_path / "a")
        assert usual_mode() == expected
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert {mode_of(tmp_path / "a" / name) for name in ("a", "below/b", "c")} == {expected}
    assert mode_of(tmp_path / "a/below") == 0o777 & ~umask


def test_a_file_that_cannot_be_written_to_disk_is_not_renamed(tmp_path, monkeypatch):
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        put_in_place(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"


def test_a_folder_that_cannot_be_synced_is_taken_as_it_is_and_a_file_is_not(tmp_path, monkeypatch):
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(os, "fsync", refuse)
    sync(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path / "file")


def test_removal_takes_files_folders_links_and_nothing(tmp_path):
    (tmp_path / "folder/below").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "file", "none"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    remove(tmp_path / "folder")
    assert not list(tmp_path.iterdir())
