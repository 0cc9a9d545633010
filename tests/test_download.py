"""A download is complete or absent; it is checked, and everything that fails is one line."""

import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest
from data_prep_runs import ROOT
from download_fixture import BODY, MD5, SHA256, fetched, names
from misbehaving_server import ETAG, serving
from waiting import wait_until

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, fetch

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def download_command(*arguments: object) -> list[str]:
    """Returns the command line of data_prep/download.py."""
    return [sys.executable, "data_prep/download.py", *map(str, arguments)]


def test_a_file_comes_whole_with_its_digests_on_record(tmp_path):
    with serving(BODY, "fine") as server:
        assert fetched(server, tmp_path) == BODY
    assert names(tmp_path) == {"file.tsv", "file.tsv.meta.json"}
    record = json.loads((tmp_path / "file.tsv.meta.json").read_text())
    assert record == {"url": server.url, "size": 1024, "md5": MD5, "sha256": SHA256}


def test_what_is_there_is_not_fetched_again_but_checked(tmp_path):
    with serving(BODY, "fine") as server:
        fetched(server, tmp_path)
        fetched(server, tmp_path)
        assert len(server.asked) == 1
        (tmp_path / "file.tsv").write_bytes(BODY[:-1] + b"?")
        with pytest.raises(DataError, match=f"file.tsv: expected md5 {MD5}, got "):
            fetched(server, tmp_path)


def test_drops_are_borne_as_long_as_there_is_progress(tmp_path):
    with serving(BODY, "drops") as server:
        assert fetched(server, tmp_path) == BODY
        assert len(server.asked) == 11


def test_503_is_tried_again_and_404_is_not(tmp_path):
    with serving(BODY, "unavailable", "unavailable", "fine") as server:
        assert fetched(server, tmp_path) == BODY
    with serving(BODY, "missing") as server:
        with pytest.raises(
            DataError, match=f"^{server.url}: expected the file, got HTTP status 404 Not Found$"
        ):
            fetched(server, tmp_path / "other")
        assert len(server.asked) == 1
        assert not (tmp_path / "other/file.tsv").exists()


def test_two_processes_do_not_write_one_file(tmp_path):
    with serving(BODY, "fine") as server, (tmp_path / "file.tsv.partial").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(
            DataError, match="expected to fetch it alone, got another process that does"
        ):
            fetched(server, tmp_path)
        assert server.asked == []


def test_a_server_that_stays_away_ends_in_one_line(tmp_path):
    with serving(BODY, "unavailable") as server:
        with pytest.raises(
            DataError, match="expected the file, got HTTP status 503 Service Unavailable"
        ):
            fetched(server, tmp_path)
        assert len(server.asked) == 4
    with pytest.raises(DataError, match="expected the file, got .*refused"):
        fetched(server, tmp_path)


@pytest.mark.parametrize(
    "elsewhere, expected",
    [
        (
            None,
            "expected the file, got HTTP status 302 The HTTP server returned a redirect error .*",
        ),
        ("file:///etc/hostname", "expected the file, got HTTP status 302 .* is not allowed"),
        ("http://[x", "expected a URL, got Invalid IPv6 URL"),
    ],
)
def test_being_sent_around_ends_in_one_line(tmp_path, elsewhere, expected):
    with serving(BODY, "sends_elsewhere") as server:
        server.elsewhere = elsewhere
        with pytest.raises(DataError, match=f"^{server.url}: {expected}") as error:
            fetched(server, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("known", [{"md5": "0" * 32}, {"sha256": "0" * 64}])
def test_a_wrong_digest_is_refused_and_nothing_of_it_kept(tmp_path, known):
    with serving(BODY, "fine") as server:
        [(name, value)] = known.items()
        with pytest.raises(DataError, match=f"^{server.url}: expected {name} {value}, got "):
            fetched(server, tmp_path, **known)
    assert "file.tsv" not in names(tmp_path)
    assert (tmp_path / "file.tsv.partial").stat().st_size == 0


def test_only_http_is_followed(tmp_path):
    with pytest.raises(DataError, match="expected a URL of http or https"):
        fetch(Source("file:///etc/hostname"), tmp_path / "x")


def test_after_a_kill_the_rest_alone_is_asked_for(tmp_path):
    body = bytes(range(256)) * 4096
    target, partial = tmp_path / "file.tsv", tmp_path / "file.tsv.partial"
    with serving(body, "trickles", "fine") as server:
        command = download_command(server.url, "--output", target, "--pause", "0.01")
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT)
        wait_until(lambda: partial.is_file() and partial.stat().st_size == len(body) // 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not target.exists()
        subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True)
        assert server.asked == [(None, None), (f"bytes={len(body) // 2}-", ETAG)]
    assert target.read_bytes() == body
    assert names(tmp_path) == {"file.tsv", "file.tsv.meta.json"}


def test_a_kill_between_the_last_byte_and_the_renaming_costs_no_request(tmp_path):
    with serving(BODY, "fine") as server:
        (tmp_path / "file.tsv.partial").write_bytes(BODY)
        note = {"url": server.url, "validator": ETAG, "size": 1024}
        (tmp_path / "file.tsv.partial.json").write_text(json.dumps(note))
        assert fetched(server, tmp_path) == BODY
        assert server.asked == []


def test_the_command_ends_with_one_line_and_status_2(tmp_path):
    with serving(BODY, "missing") as server:
        command = download_command(server.url, "--output", tmp_path / "x")
        ended = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and "404" in ended.stderr


def test_a_server_that_speaks_no_http_ends_in_one_line(tmp_path):
    with serving(BODY, "speaks_no_http") as server:
        with pytest.raises(DataError) as error:
            fetched(server, tmp_path)
    assert str(error.value) == f"{server.url}: expected the file, got lalala"
