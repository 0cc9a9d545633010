"""Finds the rows of our TSV files by id or by text, with 16 bytes in memory for each row."""

import mmap
from array import array
from hashlib import blake2b
from pathlib import Path

import numpy as np

from rocketqa.files.rows import read_rows

OFFSET_BITS = 48  # a place is a file's number above these bits and the row's first byte in them
OFFSET_MASK = (1 << OFFSET_BITS) - 1


def text_digest(*columns: str) -> int:
    """Returns a signed 64-bit digest of texts, the same on every machine."""
    texts = "\t".join(columns).encode()
    digest = blake2b(texts, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class RowIndex:
    """Finds the rows of TSV files by their id or by their text; the rows stay on the disk.

    In memory are the digest and the place of each row: 16 bytes, and 40 while they are sorted.
    """

    def __init__(self, paths: list[Path], by_text: bool, width: int):
        """Reads the files, whose rows have `width` columns and an id in the first of them.

        by_text: rows are found by all columns but the id; otherwise by the id alone.
        """
        self.by_text = by_text
        self.files: list[mmap.mmap | bytes] = []
        digests = array("q")
        places = array("q")
        for path in paths:
            self._add_file(path, width, digests, places)
        unordered = np.array(digests, np.int64)
        order = np.argsort(unordered, kind="stable")  # the first of two equal rows stays the first
        self.digests = unordered[order]
        unordered_places = np.array(places, np.int64)
        self.places = unordered_places[order]

    def _add_file(self, path: Path, width: int, digests: array, places: array) -> None:
        """Appends the digest and the place of each row of a file."""
        file_place = len(self.files) << OFFSET_BITS
        self.files.append(_mapped(path))
        start = 0
        with path.open("rb") as lines:
            rows = read_rows(path, (width,))
            for line, row in zip(lines, rows):
                key = self._key(row.columns)
                digests.append(text_digest(*key))
                places.append(file_place | start)
                start += len(line)

    def _key(self, columns: list[str]) -> list[str]:
        """Returns the columns that a row is found by."""
        return columns[1:] if self.by_text else columns[:1]

    def find(self, *columns: str) -> list[str] | None:
        """Returns the first row with this id, or with this title and text; None without any."""
        wanted = text_digest(*columns)
        at = np.searchsorted(self.digests, wanted)
        if at == len(self.digests):
            return None
        if self.digests[at] != wanted:
            return None
        place = int(self.places[at])
        row = self._row(place)
        is_the_same = self._key(row) == list(columns)
        return row if is_the_same else None

    def _row(self, place: int) -> list[str]:
        """Returns the columns of the row at a place."""
        rows = self.files[place >> OFFSET_BITS]
        start = place & OFFSET_MASK
        end = rows.find(b"\n", start)
        if end < 0:
            end = len(rows)
        line = rows[start:end].decode()
        return line.split("\t")


def _mapped(path: Path) -> mmap.mmap | bytes:
    """Returns the bytes of a file, read from the disk when they are used."""
    if not path.stat().st_size:
        return b""  # an empty file cannot be mapped
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
