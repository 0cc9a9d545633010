"""A folder of text files and a file of JSON lines are documents with ids without blanks."""

import gzip

import pytest
from data_prep_runs import data_prep_module

from rocketqa.files.errors import DataError

cutting = data_prep_module("cutting")
document_files = data_prep_module("document_files")


def documents(path, pattern: str = "*.txt") -> list:
    source = document_files.DocumentSource(path, pattern)
    return list(document_files.documents_of(source, document_files.Counter()))


def test_a_text_file_is_known_by_its_path_and_titled_by_its_name(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "my 10% note.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "a.md").write_text("other")
    (tmp_path / "empty.txt").write_text(" \n")
    assert documents(tmp_path) == [
        ("a.txt", "a", "first"),
        ("b/my%2010%25%20note.txt", "my 10% note", "one\ntwo"),
    ]
    assert documents(tmp_path, "*.md") == [("a.md", "a", "other")]


def test_json_lines_have_id_title_and_text(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    lines = '{"id": "a 1", "title": "T", "text": "x\\ny"}\n{"_id": 7, "text": "z"}\n'
    path.write_bytes(gzip.compress(lines.encode()))
    assert documents(path) == [("a%201", "T", "x\ny"), ("7", "", "z")]


def test_an_id_tells_blanks_of_all_scripts_apart():
    assert document_files.document_id_of("a b") == "a%20b"
    assert document_files.document_id_of("a%20b") == "a%2520b"
    assert document_files.document_id_of("鲁\u3000迅\u00a0") == "鲁%E3%80%80迅%C2%A0"


@pytest.mark.parametrize(
    "content, fault",
    [
        (
            b'{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n',
            "a.jsonl:2: expected each id once",
        ),
        (b'{"id": "a"}\n', "a.jsonl:1: expected a text for text, got nothing"),
        (b'{"text": "x"}\n', "a.jsonl:1: expected a text for id, got nothing"),
        (b'{"id": "", "text": "x"}\n', "a.jsonl:1: expected a id without spaces, got ''"),
        (b"plain text\n", "a.jsonl:1: expected a JSON object, got other text"),
    ],
)
def test_a_fault_of_json_lines_is_named(tmp_path, content, fault):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=fault):
        documents(tmp_path / "a.jsonl")


def test_a_folder_without_texts_and_a_text_that_is_not_utf8_are_named(tmp_path):
    with pytest.raises(DataError, match=r"expected files \*.txt \(--pattern names others\), got"):
        documents(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="a.txt: expected UTF-8, got byte 0xe9 at 3"):
        documents(tmp_path)


@pytest.mark.parametrize("pattern", ["/*.txt", "**.txt"])
def test_a_pattern_that_is_none_is_refused(tmp_path, pattern):
    with pytest.raises(DataError, match="--pattern: expected one such as "):
        documents(tmp_path, pattern)
