"""Passages by id where the collection need not fit in memory."""

import hashlib
import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import PASSAGE_WIDTH, Passage, passage_of
from rocketqa.files.rows import Row, read_rows, rows_of


class IdPlaces:
    """Where ids stand in a list that is not in memory: 12 bytes an id. Ids may share a hash: ask each place."""

    def __init__(self, ids: Iterable[str]):
        hashes = np.fromiter(map(_hash, ids), np.uint64)
        self.places = np.argsort(hashes, kind="stable").astype(np.uint32)
        self.hashes = hashes[self.places]

    def of(self, identifier: str) -> Iterator[int]:
        """Yields the places, ascending, where the id may stand: none where it stands nowhere."""
        key = np.uint64(_hash(identifier))
        yield from self.places[
            self.hashes.searchsorted(key) : self.hashes.searchsorted(key, "right")
        ].tolist()

    def shared(self) -> Iterator[list[int]]:
        """Yields the places, ascending, of each hash that stands twice or more."""
        borders = np.flatnonzero(
            np.diff(self.hashes, prepend=~self.hashes[:1], append=~self.hashes[-1:])
        )
        for begin, end in zip(borders, borders[1:]):
            if end - begin > 1:
                yield self.places[begin:end].tolist()


def _hash(identifier: str) -> int:
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest(), "little")


class CollectionFile(Mapping[str, Passage]):
    """A collection on disk: `collection[passage_id]` reads that passage, 20 bytes of memory each. Threads may share it.

    Opening it reads it once and raises DataError at its first fault.
    """

    def __init__(self, path: Path):
        self.path, self._begins = Path(path), array("Q", [0])
        self._places = IdPlaces(passage_of(row).passage_id for row in self._rows_noted())
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        if row := min(self._repeated(), key=lambda row: row.number, default=None):
            row.fault("duplicate ids", "each id once", f"{row.columns[0]!r} again")

    def _rows_noted(self) -> Iterator[Row]:
        for row in read_rows(self.path, PASSAGE_WIDTH):
            self._begins.append(row.end)
            yield row

    def _repeated(self) -> Iterator[Row]:
        for places in self._places.shared():
            seen: set[str] = set()
            for row in map(self._row, places):
                if row.columns[0] in seen:
                    yield row
                seen.add(row.columns[0])

    def _row(self, place: int) -> Row:
        begin, end = self._begins[place : place + 2]
        return next(
            rows_of(
                [os.pread(self._file, end - begin, begin)],
                self.path,
                PASSAGE_WIDTH,
                first=place + 1,
            )
        )

    def __getitem__(self, passage_id: str) -> Passage:
        for row in map(self._row, self._places.of(passage_id)):
            if row.columns[0] == passage_id:
                return passage_of(row)
        raise KeyError(passage_id)

    def __contains__(self, passage_id: object) -> bool:
        places = list(self._places.of(passage_id))
        if (
            len(places) < 2
        ):  # 64 bits that stand once are believed: a run has millions of ids to check
            return bool(places)
        return any(self._row(place).columns[0] == passage_id for place in places)

    def __iter__(self) -> Iterator[str]:
        return (row.columns[0] for row in read_rows(self.path, PASSAGE_WIDTH))

    def __len__(self) -> int:
        return len(self._begins) - 1


def known(texts: Mapping, key: str, what: str):
    """Returns the query or passage of an id. Raises DataError where the collection or the queries lack it."""
    if key not in texts:
        raise DataError(f"{what}: expected one with the id {key!r}, got none")
    return texts[key]
