"""A download continues where it was cut, and never mixes bytes of two answers."""

import io

import pytest
from download_fixture import BODY, MD5, fetched, names
from misbehaving_server import ETAG, serving

from rocketqa.files.errors import DataError
from rocketqa.jobs.partial_download import PartialFile, Source, printable


@pytest.mark.parametrize(
    "url, name",
    [
        ("https://a.b/c/marco.tar.gz", "marco.tar.gz"),
        ("https://a.b/c/marco.tar.gz?key=a/b", "marco.tar.gz"),
        ("https://a.b/folder/", "folder"),
    ],
)
def test_a_source_is_named_by_the_last_part_of_its_url(url, name):
    assert Source(url).name == name


def test_a_message_becomes_one_short_line_that_a_terminal_can_show():
    assert printable("Not\r\n Found\x1b[31m\t!") == "Not Found [31m !"
    assert len(printable("x" * 1000)) == 200


def test_what_another_url_announced_counts_for_nothing(tmp_path):
    note = tmp_path / "note.json"
    first = PartialFile(Source("http://a/1"), io.BytesIO(b"left over"), note)
    first.begin("version", 5)
    assert first.received == 0
    assert first.announced() == {"url": "http://a/1", "validator": "version", "size": 5}
    assert PartialFile(Source("http://a/2"), io.BytesIO(), note).announced() == {}


def test_a_dropped_connection_goes_on_with_the_rest_alone(tmp_path):
    with serving(BODY, "drops", "drops", "fine") as server:
        assert fetched(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG), ("bytes=200-", ETAG)]


def test_a_stall_is_ended_and_the_rest_asked_for(tmp_path):
    with serving(BODY, "stalls", "fine") as server:
        assert fetched(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG)]


def test_a_server_that_ignores_range_sends_all_and_nothing_is_doubled(tmp_path):
    with serving(BODY, "drops", "whole") as server:
        assert fetched(server, tmp_path) == BODY
        assert len(server.asked) == 2


def test_another_version_of_the_file_is_not_mixed_with_the_first(tmp_path):
    with serving(BODY, "drops", "another_version") as server:
        (tmp_path / "file.tsv.partial").write_bytes(b"something else")
        assert fetched(server, tmp_path) == BODY
        assert server.asked[0] == (None, None)  # the bytes that are there have no note


def test_without_a_version_nothing_is_resumed(tmp_path):
    with serving(BODY, "has_no_version", "fine") as server:
        assert fetched(server, tmp_path) == BODY
        assert server.asked == [(None, None), (None, None)]


@pytest.mark.parametrize(
    "behaviour", ["answers_another_range", "has_no_such_range", "sends_on_and_on"]
)
def test_after_an_answer_with_other_bytes_than_those_asked_for_the_file_is_begun_anew(
    tmp_path, behaviour
):
    with serving(BODY, "drops", behaviour, "fine") as server:
        assert fetched(server, tmp_path) == BODY
        assert server.asked == [(None, None), ("bytes=100-", ETAG), (None, None)]


@pytest.mark.parametrize("first", ["drops", "stalls"])
def test_a_server_that_goes_on_with_another_version_mixes_nothing(tmp_path, first):
    with serving(BODY, first, "goes_on_with_another_version") as server:
        assert fetched(server, tmp_path) == BODY[::-1]


@pytest.mark.parametrize(
    "behaviour, expected",
    [
        ("promises_nothing", "an answer without its length"),
        ("is_empty", "an empty one"),
        ("promises_a_number_without_end", "an answer without its length"),
        ("hangs_in_its_headers", "timed out"),
        ("has_no_such_range", "HTTP status 416 Requested Range Not Satisfiable"),
    ],
)
def test_what_could_be_a_half_or_nothing_is_tried_again_and_refused(tmp_path, behaviour, expected):
    with serving(BODY, behaviour) as server:
        with pytest.raises(DataError, match=f"^{server.url}: expected the file, got {expected}$"):
            fetched(server, tmp_path)
        assert len(server.asked) == 4 and "file.tsv" not in names(tmp_path)


def test_an_answer_without_a_length_is_whole_where_it_has_an_end_or_the_length_is_known(tmp_path):
    with serving(BODY, "chunks") as server:
        assert fetched(server, tmp_path) == BODY
    with serving(BODY, "promises_nothing", "fine") as server:
        assert fetched(server, tmp_path / "known", size=1024) == BODY
        assert server.asked[1] == ("bytes=100-", ETAG)


def test_a_file_that_comes_packed_is_not_taken_for_the_file(tmp_path):
    with serving(BODY, "packs") as server:
        with pytest.raises(
            DataError, match=f"^{server.url}: expected the file as it is, got it encoded as gzip$"
        ):
            fetched(server, tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"url": 5}', '{"url": "URL", "size": "x", "validator": [1]}']
)
def test_a_damaged_note_of_what_is_there_costs_a_new_beginning_and_no_traceback(tmp_path, content):
    (tmp_path / "file.tsv.partial").write_bytes(BODY[:100])
    with serving(BODY, "fine") as server:
        (tmp_path / "file.tsv.partial.json").write_text(content.replace("URL", server.url))
        assert fetched(server, tmp_path) == BODY
        assert server.asked[-1] in ((None, None), ("bytes=100-", "[1]"))
        (tmp_path / "file.tsv.meta.json").write_text(content.replace("size", "sizes"))
        assert fetched(server, tmp_path) == BODY


def test_an_answer_without_a_file_is_no_empty_file(tmp_path):
    with serving(BODY, "has_nothing_to_say") as server:
        with pytest.raises(DataError, match="expected the file, got HTTP status 204"):
            fetched(server, tmp_path)


def test_a_length_that_lies_is_refused(tmp_path):
    with serving(BODY, "promises_too_much") as server:
        with pytest.raises(DataError, match=f"^{server.url}: expected 1074 bytes, got 1024$"):
            fetched(server, tmp_path)
        with pytest.raises(
            DataError, match=f"^{server.url}: expected 1024 bytes, got 1074 announced$"
        ):
            fetched(server, tmp_path, size=1024)
        server.behaviours = ["promises_too_little"]
        with pytest.raises(
            DataError, match=f"^{server.url}: expected 1024 bytes, got 974 announced$"
        ):
            fetched(server, tmp_path, size=1024)
        with pytest.raises(DataError, match=f"^{server.url}: expected md5 {MD5}, got "):
            fetched(server, tmp_path, md5=MD5)
    assert "file.tsv" not in names(tmp_path)
