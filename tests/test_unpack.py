"""An archive is unpacked into its folder and nowhere else, complete or not at all."""

import errno
import gzip
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from rocketqa.files.errors import DataError
from rocketqa.jobs.unpack import unpack


def tar_of(path: Path, *members: tuple[str, bytes | str, bytes]) -> Path:
    """Writes a tar of (name, content, type); a link's content is its target."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if isinstance(content, str):
                member.linkname = content
                content = b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_tar_and_a_zip_unpack_to_their_files(tmp_path):
    tar = tar_of(
        tmp_path / "a.tar.gz",
        ("marco", b"", tarfile.DIRTYPE),
        ("marco/para.txt", b"0\tx\n", tarfile.REGTYPE),
    )
    assert (unpack(tar, tmp_path / "tar") / "marco/para.txt").read_bytes() == b"0\tx\n"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as box:
        box.writestr("marco/para.txt", "0\tx\n")
    unpacked = unpack(tmp_path / "a.zip", tmp_path / "zip")
    assert (unpacked / "marco/para.txt").read_bytes() == b"0\tx\n"


def test_a_folder_that_is_up_to_date_is_kept_and_another_archive_replaces_it(tmp_path):
    tar = tar_of(tmp_path / "a.tar.gz", ("one", b"1", tarfile.REGTYPE))
    folder = unpack(tar, tmp_path / "folder")
    before = (folder / "one").stat().st_mtime_ns
    unpack(tar, folder)
    assert (folder / "one").stat().st_mtime_ns == before
    tar_of(tmp_path / "a.tar.gz", ("two", b"2", tarfile.REGTYPE))
    unpack(tar, folder)
    assert {path.name for path in folder.iterdir()} == {"two", "meta.json"}


def test_an_error_of_the_disk_is_not_the_archives(tmp_path, monkeypatch):
    tar = tar_of(tmp_path / "a.tar.gz", ("one", b"1", tarfile.REGTYPE))

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DataError, match=f"^{tmp_path}: expected room on the disk, got "):
        unpack(tar, tmp_path / "folder")


@pytest.mark.parametrize(
    "member",
    [
        ("../out.txt", b"x", tarfile.REGTYPE),
        ("/out.txt", b"x", tarfile.REGTYPE),
        ("a/../../out.txt", b"x", tarfile.REGTYPE),
        ("link", "/etc/hostname", tarfile.SYMTYPE),
        ("hard", "good.txt", tarfile.LNKTYPE),
        ("pipe", b"", tarfile.FIFOTYPE),
        ("null", b"", tarfile.CHRTYPE),
        ("good.txt", b"again", tarfile.REGTYPE),
        ("meta.json", b"{}", tarfile.REGTYPE),
    ],
    ids=lambda member: member[0],
)
def test_nothing_leaves_the_folder_and_no_link_or_device_is_made(tmp_path, member):
    tar = tar_of(tmp_path / "a.tar.gz", ("good.txt", b"x", tarfile.REGTYPE), member)
    with pytest.raises(DataError, match=r"a\.tar\.gz: expected .*, got "):
        unpack(tar, tmp_path / "in/folder")
    assert not (tmp_path / "in/folder").exists()
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("name, mode", [("../out.txt", 0o100644), ("link", 0o120777)])
def test_a_zip_is_held_to_the_same(tmp_path, name, mode):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as box:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        box.writestr(member, "/etc/hostname")
    with pytest.raises(DataError, match=r"a\.zip: expected .*, got "):
        unpack(tmp_path / "a.zip", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_cut_archive_is_refused(tmp_path):
    tar = tar_of(tmp_path / "a.tar.gz", ("big", os.urandom(100_000), tarfile.REGTYPE))
    tar.write_bytes(tar.read_bytes()[:50_000])
    with pytest.raises(DataError, match="expected a complete tar or zip archive"):
        unpack(tar, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_damaged_archive_is_refused_and_not_taken_for_its_first_half(tmp_path):
    tar = tar_of(
        tmp_path / "a.tar.gz",
        ("one", b"1" * 600, tarfile.REGTYPE),
        ("two", b"2" * 600, tarfile.REGTYPE),
    )
    content = bytearray(gzip.decompress(tar.read_bytes()))
    content[512 + 1024 + 150] ^= 1  # in the sum of the second header
    (tmp_path / "header.tar").write_bytes(content)
    packed = bytearray(tar.read_bytes())
    packed[-6] ^= 1  # in gzip's own sum
    (tmp_path / "sum.tar.gz").write_bytes(packed)
    for name in ("header.tar", "sum.tar.gz"):
        with pytest.raises(DataError, match=f"{name}: expected "):
            unpack(tmp_path / name, tmp_path / "folder")
        assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    "packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_zip_is_refused_wherever_its_damage_is(tmp_path, packing):
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", packing) as box:
        box.writestr("é", "hello " * 50)
    whole = (tmp_path / "whole.zip").read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "a.zip").write_bytes(damaged)
        try:
            unpacked = unpack(tmp_path / "a.zip", tmp_path / str(place))
            assert b"hello " * 50 in [path.read_bytes() for path in unpacked.iterdir()], place
        except DataError as error:
            assert str(error).startswith(f"{tmp_path}/a.zip: expected ")
            refused += 1
    assert refused > len(whole) // 3


@pytest.mark.parametrize("names_inside", [("a", "a/b"), ("a/b", "a")])
def test_a_name_that_is_both_a_file_and_a_folder_is_refused(tmp_path, names_inside):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for name in names_inside:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DataError, match="a.tar: expected a file or a folder by one name, got both"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("length", range(600, 1536, 104))
def test_a_tar_without_its_end_is_refused_wherever_it_is_cut(tmp_path, length):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("a", "b"):
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(DataError, match="a.tar: expected a complete tar or zip archive, got "):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
