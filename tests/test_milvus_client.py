"""An address of Milvus has no password in it, and what cannot be opened is one line."""

import sys

import pytest

from rocketqa.files.errors import DataError
from rocketqa.search.milvus_client import checked_uri, connect


@pytest.mark.parametrize("uri", ["a.db", "/x/a.db", "http://h:19530", "https://h/database"])
def test_files_and_servers_are_addresses(uri):
    assert checked_uri(uri) == uri


@pytest.mark.parametrize(
    "uri", ["a", ".db", "h:19530", "ftp://h", "http://", "http://u:word@h", "http://h?token=word"]
)
def test_other_addresses_are_refused_without_being_shown(uri):
    with pytest.raises(ValueError, match="^expected ") as error:
        checked_uri(uri)
    assert "word@" not in str(error.value) and "=word" not in str(error.value)


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(DataError, match="^--uri: expected the package pymilvus .pip install"):
        connect("http://127.0.0.1:1")


def test_a_server_that_is_gone_is_one_line_without_the_token(monkeypatch):
    pytest.importorskip("pymilvus", reason="the extra `milvus` is missing")
    monkeypatch.setenv("MILVUS_TOKEN", "user:hidden")
    with pytest.raises(DataError, match="^http://127.0.0.1:1: expected a Milvus") as error:
        connect("http://127.0.0.1:1")
    assert "hidden" not in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_not_made_by_a_search(tmp_path):
    pytest.importorskip("milvus_lite", reason="the extra `milvus` is missing")
    with pytest.raises(DataError, match="got nothing there: make it with `rocketqa load`"):
        connect(str(tmp_path / "a.db"), must_exist=True)
    assert not list(tmp_path.iterdir())
