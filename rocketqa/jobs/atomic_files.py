"""Files that are complete or absent, after a power cut too: each is written under another name and
renamed at the end.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocketqa.jobs.durable import put_in_place

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


def unfinished_name(path: Path) -> Path:
    """Returns the name that a file has until it is complete."""
    return path.with_name(f"{path.name}.tmp")


@contextmanager
def complete_file(path: Path, place: Callable[[Path, Path], None] = put_in_place) -> Iterator[Path]:
    """Gives the name to write a file under, and renames it to `path` at the end of the block.

    Where the block raises, `path` stays as it was. place: how it is renamed.
    """
    unfinished = unfinished_name(path)
    yield unfinished
    place(unfinished, path)


def write_atomically(path: Path, text: str) -> None:
    """Writes a small text file, complete or not at all."""
    with complete_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
