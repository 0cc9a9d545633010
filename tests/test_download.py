"""A download is whole or not there, goes on where it was cut, refuses what is not the file; archives stay inside."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from data_prep_runs import ROOT
from misbehaving_server import ETAG, serving, wait_until

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Patience, Source, fetch
from rocketqa.jobs.unpack import unpack

BODY = bytes(range(256)) * 4
MD5, SHA256 = hashlib.md5(BODY).hexdigest(), hashlib.sha256(BODY).hexdigest()
HASTE = Patience(timeout=0.3, tries=3, pause=0.01)


def got(server, folder: Path, **known) -> bytes:
    return fetch(Source(server.url, **known), folder / "file.tsv", HASTE).read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_comes_whole_with_its_digests_on_record(tmp_path):
    with serving(BODY, "fine") as server:
        assert got(server, tmp_path) == BODY
    assert names(tmp_path) == {"file.tsv", "file.tsv.meta.json"}
    record = json.loads((tmp_path / "file.tsv.meta.json").read_text())
    assert record == {"url": server.url, "size": 1024, "md5": MD5, "sha256": SHA256}


def test_what_is_there_is_not_fetched_again_but_checked(tmp_path):
    with serving(BODY, "fine") as server:
        got(server, tmp_path)
        got(server, tmp_path)
        assert len(server.asked) == 1
        (tmp_path / "file.tsv").write_bytes(BODY[:-1] + b"?")
        with pytest.raises(DataError, match=f"file.tsv: expected md5 {MD5}, got "):
            got(server, tmp_path)


def test_a_dropped_connection_goes_on_with_the_rest_alone(tmp_path):
    with serving(BODY, "drops", "drops", "fine") as server:
        assert got(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG), ("bytes=200-", ETAG)]


def test_drops_are_borne_as_long_as_there_is_progress(tmp_path):
    with serving(BODY, "drops") as server:
        assert got(server, tmp_path) == BODY
        assert len(server.asked) == 11


def test_a_stall_is_ended_and_the_rest_asked_for(tmp_path):
    with serving(BODY, "stalls", "fine") as server:
        assert got(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG)]


def test_a_server_that_ignores_range_sends_all_and_nothing_is_doubled(tmp_path):
    with serving(BODY, "drops", "whole") as server:
        assert got(server, tmp_path) == BODY
        assert len(server.asked) == 2


def test_another_version_of_the_file_is_not_mixed_with_the_first(tmp_path):
    with serving(BODY, "drops", "another_version") as server:
        (tmp_path / "file.tsv.partial").write_bytes(b"something else")
        assert got(server, tmp_path) == BODY
        assert server.asked[0] == (None, None)  # nobody knows what the bytes there are of


def test_without_a_version_nothing_is_resumed(tmp_path):
    with serving(BODY, "has_no_version", "fine") as server:
        assert got(server, tmp_path) == BODY
        assert server.asked == [(None, None), (None, None)]


@pytest.mark.parametrize(
    "behaviour", ["answers_another_range", "has_no_such_range", "sends_on_and_on"]
)
def test_after_an_answer_with_other_bytes_than_those_asked_for_the_file_is_begun_anew(
    tmp_path, behaviour
):
    with serving(BODY, "drops", behaviour, "fine") as server:
        assert got(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG), (None, None)]


@pytest.mark.parametrize("first", ["drops", "stalls"])
def test_a_server_that_goes_on_with_another_version_mixes_nothing(tmp_path, first):
    with serving(BODY, first, "goes_on_with_another_version") as server:
        assert got(server, tmp_path) == BODY[::-1]


def test_503_is_tried_again_and_404_is_not(tmp_path):
    with serving(BODY, "unavailable", "unavailable", "fine") as server:
        assert got(server, tmp_path) == BODY
    with serving(BODY, "missing") as server:
        with pytest.raises(
            DataError, match=f"^{server.url}: expected the file, got HTTP status 404 Not Found$"
        ):
            got(server, tmp_path / "other")
        assert len(server.asked) == 1 and not (tmp_path / "other/file.tsv").exists()


def test_an_answer_without_a_file_is_no_empty_file(tmp_path):
    with serving(BODY, "has_nothing_to_say") as server:
        with pytest.raises(DataError, match="expected the file, got HTTP status 204"):
            got(server, tmp_path)


def test_two_processes_do_not_write_one_file(tmp_path):
    with serving(BODY, "fine") as server, (tmp_path / "file.tsv.partial").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(
            DataError, match="expected to fetch it alone, got another process that does"
        ):
            got(server, tmp_path)
        assert server.asked == []


def test_a_server_that_stays_away_ends_in_one_line(tmp_path):
    with serving(BODY, "unavailable") as server:
        with pytest.raises(
            DataError, match="expected the file, got HTTP status 503 Service Unavailable"
        ):
            got(server, tmp_path)
        assert len(server.asked) == 4
    with pytest.raises(DataError, match="expected the file, got .*refused"):
        got(server, tmp_path)


def test_a_length_that_lies_is_refused(tmp_path):
    with serving(BODY, "promises_too_much") as server:
        with pytest.raises(DataError, match=f"^{server.url}: expected 1074 bytes, got 1024$"):
            got(server, tmp_path)
        with pytest.raises(
            DataError, match=f"^{server.url}: expected 1024 bytes, got 1074 announced$"
        ):
            got(server, tmp_path, size=1024)
        server.behaviours = ["promises_too_little"]
        with pytest.raises(
            DataError, match=f"^{server.url}: expected 1024 bytes, got 974 announced$"
        ):
            got(server, tmp_path, size=1024)
        with pytest.raises(DataError, match=f"^{server.url}: expected md5 {MD5}, got "):
            got(server, tmp_path, md5=MD5)
    assert "file.tsv" not in names(tmp_path)


@pytest.mark.parametrize(
    "behaviour, told",
    [
        ("promises_nothing", "an answer without its length"),
        ("is_empty", "an empty one"),
        ("promises_a_number_without_end", "an answer without its length"),
        ("hangs_in_its_headers", "timed out"),
        ("has_no_such_range", "HTTP status 416 Requested Range Not Satisfiable"),
    ],
)
def test_what_could_be_a_half_or_nothing_is_tried_again_and_refused(tmp_path, behaviour, told):
    with serving(BODY, behaviour) as server:
        with pytest.raises(DataError, match=f"^{server.url}: expected the file, got {told}$"):
            got(server, tmp_path)
        assert len(server.asked) == 4 and "file.tsv" not in names(tmp_path)


def test_an_answer_without_a_length_is_whole_where_it_has_an_end_or_the_length_is_known(tmp_path):
    with serving(BODY, "chunks") as server:
        assert got(server, tmp_path) == BODY
    with serving(BODY, "promises_nothing", "fine") as server:
        assert got(server, tmp_path / "known", size=1024) == BODY and server.asked[1] == (
            "bytes=100-",
            ETAG,
        )


def test_a_file_that_comes_packed_is_not_taken_for_the_file(tmp_path):
    with serving(BODY, "packs") as server:
        with pytest.raises(
            DataError, match=f"^{server.url}: expected the file as it is, got it encoded as gzip$"
        ):
            got(server, tmp_path)


@pytest.mark.parametrize(
    "elsewhere, told",
    [
        (
            None,
            "expected the file, got HTTP status 302 The HTTP server returned a redirect error .*",
        ),
        ("file:///etc/hostname", "expected the file, got HTTP status 302 .* is not allowed"),
        ("http://[x", "expected a URL, got Invalid IPv6 URL"),
    ],
)
def test_being_sent_around_ends_in_one_line(tmp_path, elsewhere, told):
    with serving(BODY, "sends_elsewhere") as server:
        server.elsewhere = elsewhere
        with pytest.raises(DataError, match=f"^{server.url}: {told}") as error:
            got(server, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"url": 5}', '{"url": "URL", "size": "x", "validator": [1]}']
)
def test_a_damaged_note_of_what_is_there_costs_a_new_beginning_and_no_traceback(tmp_path, content):
    (tmp_path / "file.tsv.partial").write_bytes(BODY[:100])
    with serving(BODY, "fine") as server:
        (tmp_path / "file.tsv.partial.json").write_text(content.replace("URL", server.url))
        assert got(server, tmp_path) == BODY and server.asked[-1] in (
            (None, None),
            ("bytes=100-", "[1]"),
        )
        (tmp_path / "file.tsv.meta.json").write_text(content.replace("size", "sizes"))
        assert got(server, tmp_path) == BODY


@pytest.mark.parametrize("known", [{"md5": "0" * 32}, {"sha256": "0" * 64}])
def test_a_wrong_digest_is_refused_and_nothing_of_it_kept(tmp_path, known):
    with serving(BODY, "fine") as server:
        ((name, value),) = known.items()
        with pytest.raises(DataError, match=f"^{server.url}: expected {name} {value}, got "):
            got(server, tmp_path, **known)
    assert "file.tsv" not in names(tmp_path) and (tmp_path / "file.tsv.partial").stat().st_size == 0


def test_only_http_is_followed(tmp_path):
    with pytest.raises(DataError, match="expected a URL of http or https"):
        fetch(Source("file:///etc/hostname"), tmp_path / "x")


def test_after_a_kill_the_rest_alone_is_asked_for(tmp_path):
    body = bytes(range(256)) * 4096
    target, partial = tmp_path / "file.tsv", tmp_path / "file.tsv.partial"
    with serving(body, "trickles", "fine") as server:
        command = [
            sys.executable,
            "data_prep/download.py",
            server.url,
            "--output",
            target,
            "--pause",
            "0.01",
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        wait_until(lambda: partial.is_file() and partial.stat().st_size == len(body) // 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not target.exists()
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        assert server.asked == [(None, None), (f"bytes={len(body) // 2}-", ETAG)]
    assert target.read_bytes() == body and names(tmp_path) == {"file.tsv", "file.tsv.meta.json"}


def test_a_kill_between_the_last_byte_and_the_renaming_costs_no_request(tmp_path):
    with serving(BODY, "fine") as server:
        (tmp_path / "file.tsv.partial").write_bytes(BODY)
        (tmp_path / "file.tsv.partial.json").write_text(
            json.dumps({"url": server.url, "validator": ETAG, "size": 1024})
        )
        assert got(server, tmp_path) == BODY and server.asked == []


def test_the_command_ends_with_one_line_and_status_2(tmp_path):
    with serving(BODY, "missing") as server:
        ended = subprocess.run(
            [sys.executable, "data_prep/download.py", server.url, "--output", tmp_path / "x"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "404" in ended.stderr


def tar_of(path: Path, *members: tuple[str, bytes | str, bytes]) -> Path:
    """Writes a tar of (name, content, type); a link's content is its target."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if isinstance(content, str):
                member.linkname, content = content, b""
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
    assert (
        unpack(tmp_path / "a.zip", tmp_path / "zip") / "marco/para.txt"
    ).read_bytes() == b"0\tx\n"


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
    assert not (tmp_path / "in/folder").exists() and not list(tmp_path.rglob("out.txt"))


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
    with pytest.raises(DataError, match="expected a whole tar or zip archive"):
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
    whole, refused = (tmp_path / "whole.zip").read_bytes(), 0
    for place in range(len(whole)):
        (tmp_path / "a.zip").write_bytes(
            whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        )
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
    with pytest.raises(DataError, match="a.tar: expected a whole tar or zip archive, got "):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_server_that_speaks_no_http_is_told_in_one_line(tmp_path):
    with serving(BODY, "speaks_no_http") as server:
        with pytest.raises(DataError) as error:
            got(server, tmp_path)
    assert str(error.value) == f"{server.url}: expected the file, got lalala"
