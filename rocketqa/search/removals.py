"""Passages that are gone from encodings: the lists that `rocketqa remove-passages` writes.

A list stands in a folder of its own, beside those of the vectors, and belongs to the encodings that
it was made with: their vectors of its passages do not count any more. An encoding that is made
later may have a passage of the same id. That is how a passage changes.
"""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import read_json_object
from rocketqa.files.rows import UNKNOWN_IDS, read_rows
from rocketqa.jobs.digests import MANIFEST, digest, listed_digest
from rocketqa.search.encodings import is_removal
from rocketqa.search.ids import IdList

IDS = "removed.ids"  # the removed passages, a passage_id a line
VECTORS = "passage_vectors"  # the input of the verb: the folders that a list was made with


class Removal(NamedTuple):
    """The ids of removed passages, and the folders of vectors that they are removed from."""

    ids: set[str]
    directories: set[Path]


def removals_in(directories: Sequence[Path]) -> list[Removal]:
    """Returns the lists of removed passages among the folders of encodings.

    Raises DataError where a folder that a list was made with is not among them.
    """
    lists = [directory for directory in directories if is_removal(directory)]
    if not lists:
        return []
    by_digest = {}
    for directory in directories:
        by_digest[listed_digest(directory) or digest(directory)] = directory
    return [_read_removal(directory, by_digest) for directory in lists]


def _read_removal(directory: Path, by_digest: dict[str, Path]) -> Removal:
    manifest = read_json_object(directory / MANIFEST)
    names = manifest.nested("inputs").require(VECTORS, list)
    digests = manifest.nested("job").nested("inputs").require(VECTORS, list)
    folders = set()
    for name, sha256 in zip(names, digests):
        if sha256 not in by_digest:
            raise DataError(
                f"{directory}: expected the folder {name}, which it was made with, beside it in "
                "--passage-vectors, got none with its bytes"
            )
        folders.add(by_digest[sha256])
    return Removal(set(_ids_in(directory / IDS)), folders)


def ids_in_list(directory: Path) -> list[str]:
    """Returns the ids of the passages that a list removes."""
    return _ids_in(directory / IDS)


def ids_to_remove(path: Path, ids: IdList) -> list[str]:
    """Returns the passage ids of a file, one a line.

    ids: those of the vectors. Raises DataError at the first line that names none of them, or one
    again, and where no passage would be left.
    """
    rows = ids.rows_of(_ids_in(path))
    known_ids = set(ids.at(rows))
    if len(rows) == len(ids):
        raise DataError(f"{path}: expected ids of some passages, got those of all {len(ids)}")
    return _ids_in(path, known_ids)


def _ids_in(path: Path, known_ids: Container[str] | None = None) -> list[str]:
    """Returns the ids of a file. known_ids: those that it may name; None: any."""
    passage_ids = []
    seen: set[str] = set()
    for row in read_rows(path, (1,)):
        passage_id = row.checked_passage_id(row.columns[0])
        row.check_unique(passage_id, seen)
        if known_ids is not None and passage_id not in known_ids:
            row.report(UNKNOWN_IDS, "a passage_id of the vectors", repr(passage_id))
        passage_ids.append(passage_id)
    return passage_ids
