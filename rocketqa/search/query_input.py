"""Queries from a command line, a pipe or a terminal, whatever the locale.

A pipe is read as UTF-8, as all files are. A terminal is read in the encoding of the locale. A word
of the command line comes decoded from Python; where the locale could not decode it, it is read as
UTF-8.
"""

import os
import re
import sys
from collections.abc import Iterator
from itertools import count

from rocketqa.files.errors import DataError

PROMPT = "query> "
ENCODING = "utf-8"
UNDECODED = re.compile("[\udc80-\udcff]")  # how Python keeps a byte that the locale cannot decode


def query_of_word(word: str) -> str:
    """Returns the query in a word of the command line. Raises DataError where it is not UTF-8."""
    if UNDECODED.search(word):
        return _decoded(os.fsencode(word), ENCODING, "QUERY")
    return word


def queries_of_lines() -> Iterator[str]:
    """Returns the queries of the standard input, a line each; empty lines are skipped.

    A terminal gets a prompt. Raises DataError at once where the standard input is closed, and at a
    line that holds no text.
    """
    if sys.stdin is None:
        raise DataError("standard input: expected a query on each line, got a closed input")
    return _lines(sys.stdin.isatty())


def _lines(is_terminal: bool) -> Iterator[str]:
    encoding = sys.stdin.encoding if is_terminal else ENCODING
    for number in count(1):
        if is_terminal:
            print(PROMPT, end="", file=sys.stderr, flush=True)
        line = sys.stdin.buffer.readline()
        if not line:
            if is_terminal:
                print(file=sys.stderr)  # the shell's prompt begins on a line of its own
            return
        place = f"standard input:{number}"
        query = _without_nul(_decoded(line, encoding, place).strip(), place)
        if query:
            yield query


def _decoded(content: bytes, encoding: str, place: str) -> str:
    """Returns the text in the bytes. Raises DataError where they are of another encoding."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        byte = f"byte {content[error.start]:#04x} at {error.start}"
        raise DataError(f"{place}: expected {encoding.upper()}, got {byte}") from None


def _without_nul(query: str, place: str) -> str:
    """Returns a query unchanged. Raises DataError on a NUL, which every text in UTF-16 holds."""
    if "\0" in query:
        raise DataError(f"{place}: expected text in {ENCODING.upper()}, got a NUL")
    return query
