"""Queries are text, whoever gives them; what is no text is one line."""

import io
import os
import pty
import sys

import pytest

from rocketqa.files.errors import DataError
from rocketqa.search.query_input import queries_of_lines, query_of_word


def piped(monkeypatch, content: bytes, encoding: str = "utf-8") -> list[str]:
    """Returns the queries of a pipe, which Python itself would read in an encoding."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding))
    return list(queries_of_lines())


def test_each_line_of_a_pipe_is_a_query_and_empty_lines_are_skipped(monkeypatch):
    content = b" w1 w2 \r\n\n \t\nw3"
    assert piped(monkeypatch, content) == ["w1 w2", "w3"]
    assert piped(monkeypatch, b"") == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_a_pipe_is_utf_8_whatever_the_locale(monkeypatch, encoding):
    assert piped(monkeypatch, "w\u00e9 \u4e2d\n".encode(), encoding) == ["w\u00e9 \u4e2d"]


@pytest.mark.parametrize(
    "content, error",
    [
        (b"w1\n\nw\xff\n", "standard input:3: expected UTF-8, got byte 0xff at 1"),
        ("w\u00e9".encode("latin-1"), "standard input:1: expected UTF-8, got byte 0xe9 at 1"),
        ("w1".encode("utf-16-le"), "standard input:1: expected text in UTF-8, got a NUL"),
    ],
)
def test_a_line_that_is_no_text_is_named_by_its_number(monkeypatch, content, error):
    with pytest.raises(DataError) as refused:
        piped(monkeypatch, content)
    assert str(refused.value) == error


def test_the_lines_before_a_wrong_one_are_answered(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"w1\n\xff\n")))
    queries = queries_of_lines()
    assert next(queries) == "w1"
    with pytest.raises(DataError):
        next(queries)


def test_a_closed_input_is_refused_at_once(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="expected a query on each line, got a closed input"):
        queries_of_lines()


@pytest.fixture
def terminal(monkeypatch):
    """Returns a maker of terminals on which something has been typed, in an encoding."""
    opened = []

    def type_in(content: bytes, encoding: str) -> None:
        keyboard, screen = pty.openpty()
        opened.append(keyboard)
        os.write(keyboard, content)
        monkeypatch.setattr("sys.stdin", os.fdopen(screen, encoding=encoding))

    yield type_in
    sys.stdin.close()
    for keyboard in opened:
        os.close(keyboard)


END_OF_INPUT = b"\x04"


def test_a_terminal_gets_a_prompt_and_is_read_in_its_encoding(terminal, capsys):
    terminal("w\u00e9\n".encode("latin-1") + END_OF_INPUT, "latin-1")
    assert list(queries_of_lines()) == ["w\u00e9"]
    assert capsys.readouterr() == ("", "query> query> \n")


def test_a_terminal_that_sends_another_encoding_is_one_line(terminal):
    terminal("w\u00e9\n".encode(), "ascii")
    with pytest.raises(DataError) as refused:
        list(queries_of_lines())
    assert str(refused.value) == "standard input:1: expected ASCII, got byte 0xc3 at 1"


def test_a_word_that_the_locale_could_not_decode_is_read_as_utf_8():
    assert query_of_word("w\u00e9 \u4e2d") == "w\u00e9 \u4e2d"
    undecoded = "w\u00e9".encode().decode("ascii", "surrogateescape")
    assert query_of_word(undecoded) == "w\u00e9"
    with pytest.raises(DataError) as refused:
        query_of_word(os.fsdecode(b"w\xff"))
    assert str(refused.value) == "QUERY: expected UTF-8, got byte 0xff at 1"
