"""Files that are whole or not there."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rocketqa.files.formats import write_lines


def read_object(path: Path) -> dict:
    """Returns the JSON object in a file; empty where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives the name to write a file under; what was written gets its own name at the end, whole or not at all."""
    unfinished = path.with_name(path.name + ".tmp")
    yield unfinished
    os.replace(unfinished, path)


def write_atomically(path: Path, text: str) -> None:
    """Writes a small file whole or not at all."""
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_piece(path: Path, lines: Iterable[str]) -> None:
    """Writes a piece of a text: where it is, it is finished."""
    with whole(path) as unfinished:
        write_lines(unfinished, lines)


def write_array(path: Path, values: np.ndarray) -> None:
    """Writes an array as .npy: where it is, it is finished."""
    with whole(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, values)


def join_pieces(pieces: Iterable[Path], output: Path) -> int:
    """Makes one text of pieces and returns its number of lines."""
    lines = 0
    with output.open("wb") as joined:
        for path in pieces:
            with path.open("rb") as piece:
                while block := piece.read(1 << 20):
                    lines += block.count(b"\n")
                    joined.write(block)
    return lines
