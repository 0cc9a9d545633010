"""Files that are complete or absent: each is written under another name and renamed at the end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 1 << 20  # bytes copied at a time


def read_object(path: Path) -> dict:
    """Returns the JSON object in a file, an empty one where the file is missing or damaged.

    It is for manifests and notes of unfinished work: an unreadable one counts as none. All other
    JSON files are read with `rocketqa.files.json_files`, which refuses what it cannot read.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Gives the name to write a file under, and renames it to `path` at the end of the block.

    Where the block raises, `path` stays as it was.
    """
    unfinished = path.with_name(path.name + ".tmp")
    yield unfinished
    os.replace(unfinished, path)


def write_atomically(path: Path, text: str) -> None:
    """Writes a small text file, complete or not at all."""
    with complete_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
