"""Passages by id while the collection stays on disk."""

import hashlib
import os
import weakref
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TypeVar

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import COLLECTION_COLUMNS, Passage, passage_from_row
from rocketqa.files.rows import Row, parse_rows, read_rows

Entry = TypeVar("Entry")


class IdIndex:
    """The positions of ids in a list that is not in memory, by hashes of 64 bits: 12 bytes an id.

    Different ids may share a hash, so the id at a candidate position has to be compared.
    """

    def __init__(self, ids: Iterable[str]):
        hashes = np.fromiter(map(_hash, ids), np.uint64)
        order = np.argsort(hashes, kind="stable")
        self.positions = order.astype(np.uint32)
        self.hashes = hashes[order]  # ascending

    def candidates(self, identifier: str) -> list[int]:
        """Returns the positions, ascending, of the ids that share the hash of the id."""
        key = np.uint64(_hash(identifier))
        begin = self.hashes.searchsorted(key)
        end = self.hashes.searchsorted(key, "right")
        return self.positions[begin:end].tolist()

    def collisions(self) -> Iterator[list[int]]:
        """Yields the positions, ascending, of each hash that occurs twice or more."""
        first = self.hashes[:1]
        last = self.hashes[-1:]
        # The complement of a hash differs from it, so both ends of the list count as changes.
        changes = np.diff(self.hashes, prepend=~first, append=~last)
        borders = np.flatnonzero(changes)
        for begin, end in zip(borders, borders[1:]):
            if end - begin > 1:
                yield self.positions[begin:end].tolist()


def _hash(identifier: str) -> int:
    """Returns 64 bits that depend on the id alone."""
    digest = hashlib.blake2b(identifier.encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


class CollectionFile(Mapping[str, Passage]):
    """A collection on disk: `collection[passage_id]` reads one passage. Threads may share it.

    It takes 20 bytes of memory a passage. Opening it reads the file once and raises DataError at
    the first fault.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._line_ends = array("Q", [0])  # line number -> bytes up to its end
        self._index = IdIndex(self._ids_of_all_rows())
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._refuse_repeated_ids()

    def _ids_of_all_rows(self) -> Iterator[str]:
        """Yields the ids in file order and notes where each line ends."""
        for row in read_rows(self.path, COLLECTION_COLUMNS):
            self._line_ends.append(row.end)
            yield passage_from_row(row).passage_id

    def _refuse_repeated_ids(self) -> None:
        """Raises DataError at the first line whose id is that of an earlier line."""
        first: Row | None = None
        for row in self._repeated_rows():
            if first is None or row.number < first.number:
                first = row
        if first is not None:
            passage_id = first.columns[0]
            first.report("duplicate ids", "each id once", f"{passage_id!r} again")

    def _repeated_rows(self) -> Iterator[Row]:
        """Yields the rows whose id is that of an earlier row."""
        for positions in self._index.collisions():
            seen: set[str] = set()
            for position in positions:
                row = self._row(position)
                passage_id = row.columns[0]
                if passage_id in seen:
                    yield row
                seen.add(passage_id)

    def _row(self, position: int) -> Row:
        """Reads the row at a position (from 0)."""
        number = position + 1
        begin = self._line_ends[position]
        end = self._line_ends[number]
        line = os.pread(self._file, end - begin, begin)
        rows = parse_rows([line], self.path, COLLECTION_COLUMNS, first_number=number)
        return next(rows)

    def _id_at(self, position: int) -> str:
        """Reads the id of the row at a position (from 0)."""
        return self._row(position).columns[0]

    def __getitem__(self, passage_id: str) -> Passage:
        for position in self._index.candidates(passage_id):
            row = self._row(position)
            if row.columns[0] == passage_id:
                return passage_from_row(row)
        raise KeyError(passage_id)

    def __contains__(self, passage_id: object) -> bool:
        if not isinstance(passage_id, str):
            return False
        positions = self._index.candidates(passage_id)
        # A 64-bit hash that occurs once is accepted without reading the id: a run has millions.
        if len(positions) < 2:
            return bool(positions)
        return passage_id in map(self._id_at, positions)

    def __iter__(self) -> Iterator[str]:
        for row in read_rows(self.path, COLLECTION_COLUMNS):
            yield row.columns[0]

    def __len__(self) -> int:
        return len(self._line_ends) - 1


class PassagesOfFiles(Mapping[str, Passage]):
    """The passages of several collections on disk.

    files: each with the ids of passages that are left out of it. What is left of one file has no id
    of another.
    """

    def __init__(self, files: Sequence[tuple[CollectionFile, Set[str]]]):
        self._files = files

    def __getitem__(self, passage_id: str) -> Passage:
        for file, left_out in self._files:
            if passage_id in file and passage_id not in left_out:
                return file[passage_id]
        raise KeyError(passage_id)

    def __iter__(self) -> Iterator[str]:
        for file, left_out in self._files:
            for passage_id in file:
                if passage_id not in left_out:
                    yield passage_id

    def __len__(self) -> int:
        count = 0
        for file, left_out in self._files:
            count += len(file) - sum(passage_id in file for passage_id in left_out)
        return count


def entry_with_id(entries: Mapping[str, Entry], identifier: str, source: str) -> Entry:
    """Returns the entry of an id, such as a query or a passage.

    source: what the entries are, for the error message: "queries" or "passages". Raises DataError
    where there is no entry.
    """
    require_entry(entries, identifier, source)
    return entries[identifier]


def require_entry(entries: Container[str], identifier: str, source: str) -> None:
    """Raises DataError where there is no entry of an id, as `entry_with_id` does."""
    if identifier not in entries:
        raise DataError(f"{source}: expected one with the id {identifier!r}, got none")
