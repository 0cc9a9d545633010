"""Hypothesis strategies for broken files: bytes, lines or columns of a sound file are changed."""

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

INSERTED = (
    *(b"\t", b"\n", b"\r", b" ", b"\0", b"\xef\xbb\xbf", b"\xc2\x85"),
    *(b"-", b"_", b"9" * 400, b"p1", b"q1", b"nan"),
)


@st.composite
def mutated(draw: DrawFn, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Draws the name of one of the files, and its content after one to three mutations."""
    file = draw(st.sampled_from(sorted(files)))
    content = files[file]
    for _ in range(draw(st.integers(1, 3))):
        mutation = draw(st.sampled_from(MUTATIONS))
        content = mutation(draw, content)
    return file, content


def with_other_byte(draw: DrawFn, content: bytes) -> bytes:
    """Replaces one byte by any byte."""
    at = _position(draw, content)
    byte = bytes([draw(st.integers(0, 255))])
    return content[:at] + byte + content[at + 1 :]


def with_inserted_bytes(draw: DrawFn, content: bytes) -> bytes:
    """Inserts one of INSERTED."""
    at = _position(draw, content)
    return content[:at] + draw(st.sampled_from(INSERTED)) + content[at:]


def with_repeated_line(draw: DrawFn, content: bytes) -> bytes:
    """Repeats one line."""
    lines = _lines(content)
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join(lines[: at + 1] + lines[at:])


def without_one_line(draw: DrawFn, content: bytes) -> bytes:
    """Removes one line."""
    lines = _lines(content)
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join(lines[:at] + lines[at + 1 :])


def cut_short(draw: DrawFn, content: bytes) -> bytes:
    """Removes the end of the file."""
    return content[: _position(draw, content)]


def with_swapped_columns(draw: DrawFn, content: bytes) -> bytes:
    """Swaps what stands between two pairs of tabs."""
    columns = content.split(b"\t")
    one = draw(st.integers(0, len(columns) - 1))
    other = draw(st.integers(0, len(columns) - 1))
    columns[one], columns[other] = columns[other], columns[one]
    return b"\t".join(columns)


MUTATIONS = (
    with_other_byte,
    with_inserted_bytes,
    with_repeated_line,
    without_one_line,
    cut_short,
    with_swapped_columns,
)


def _position(draw: DrawFn, content: bytes) -> int:
    """Draws the position of a byte."""
    return draw(st.integers(0, max(0, len(content) - 1)))


def _lines(content: bytes) -> list[bytes]:
    """Returns the lines with their ends; one empty line for an empty file."""
    return content.splitlines(keepends=True) or [b""]
