"""The finished pieces of unfinished work, such as shards of vectors: each has a note of its digest.

The note is a line as `sha256sum` writes it, in a folder `.digests` beside the piece. It is written
before the piece gets its name, so a kill costs one piece at most. A piece without its note, or with
other bytes, is not believed: it is made again.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.atomic_files import BLOCK, complete_file
from rocketqa.jobs.digests import file_digest
from rocketqa.jobs.durable import put_piece_in_place

NOTES = ".digests"


@contextmanager
def new_piece(path: Path) -> Iterator[Path]:
    """Gives the name to write a piece under; at the end of the block the piece is finished."""
    with complete_file(path, put_piece_in_place) as unfinished:
        yield unfinished
        _write_note(path, file_digest(unfinished))


def write_piece(path: Path, lines: Iterable[str]) -> None:
    """Writes one part of a longer text."""
    with new_piece(path) as unfinished:
        write_lines(unfinished, lines)


def is_whole(path: Path) -> bool:
    """Returns whether a piece is finished and has the bytes that were written."""
    return path.is_file() and _noted(path) == file_digest(path)


def checked_digest(path: Path) -> str:
    """Returns the sha256 of a file. Raises DataError where it is a piece with other bytes than were
    written.
    """
    found = file_digest(path)
    if _note_of(path).is_file() and _noted(path) != found:
        raise _damaged(path)
    return found


def join_pieces(pieces: Iterable[Path], output: Path) -> int:
    """Writes the parts of a text one after the other into a file; returns its number of lines.

    Raises DataError where a part has other bytes than were written.
    """
    lines = 0
    sha256 = hashlib.sha256()
    with output.open("wb") as joined:
        for path in pieces:
            of_piece = hashlib.sha256()
            with path.open("rb") as piece:
                while block := piece.read(BLOCK):
                    lines += block.count(b"\n")
                    joined.write(block)
                    of_piece.update(block)
                    sha256.update(block)
            if _noted(path) != of_piece.hexdigest():
                raise _damaged(path)
    _write_note(output, sha256.hexdigest())
    return lines


def _note_of(path: Path) -> Path:
    return path.parent / NOTES / path.name


def _write_note(path: Path, sha256: str) -> None:
    note = _note_of(path)
    note.parent.mkdir(exist_ok=True)
    with complete_file(note, os.replace) as unfinished:  # a note that gets lost costs one piece
        unfinished.write_text(_line(path, sha256), encoding="utf-8")


def _line(path: Path, sha256: str) -> str:
    return f"{sha256}  {path.name}\n"


def _noted(path: Path) -> str | None:
    """Returns the digest in the note of a piece; None where there is no such note."""
    try:
        line = _note_of(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    sha256 = line.partition(" ")[0]
    return sha256 if line == _line(path, sha256) else None


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path}: expected the bytes that were written, got others: call again to make them anew"
    )
