"""Vectors on disk: one matrix in the files of one or several directories, read a part at a time.
Those of removed passages are no rows of it.

A directory holds, for each shard, `vectors.NNNNN.npy` (float32 or float16 [n, H]) and
`vectors.NNNNN.ids` (one id a line). `rocketqa encode` adds a manifest; vectors that another program
made have none, and are searched all the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import float32, ndarray

from rocketqa.files.errors import DataError, one_line
from rocketqa.jobs.digests import MANIFEST, read_manifest
from rocketqa.jobs.manifest import made_by
from rocketqa.search.encodings import encodings_in
from rocketqa.search.ids import IdList
from rocketqa.search.removals import Removal, removals_in

DTYPES = (float32, np.float16)
SAMPLE_PIECES = 64  # places in a store from which a sample of vectors is taken


class VectorFile(NamedTuple):
    """One file of vectors, or the part of it between two removed passages."""

    path: Path
    dtype: np.dtype
    rows: int
    size: int  # H
    offset: int  # position of the first vector in the file, in bytes

    def part(self, begin: int, end: int) -> "VectorFile":
        """Returns the part with the rows begin to end."""
        row_bytes = self.size * self.dtype.itemsize
        return self._replace(rows=end - begin, offset=self.offset + begin * row_bytes)


def shard_paths(directory: Path, shard: int) -> tuple[Path, Path]:
    """Returns the paths of a shard's vectors and ids."""
    stem = f"vectors.{shard:05}"
    return directory / f"{stem}.npy", directory / f"{stem}.ids"


class VectorStore:
    """The vectors of all files of the directories as one matrix [N, H], which stays on disk.

    ids: of the rows. size: H. encodings, removals: what the directories are. job: the first
    encoding's, None for vectors of another program. Raises DataError on directories that do not
    belong together, on files that do not fit their ids, and on vectors of unequal size.
    """

    def __init__(self, directories: Sequence[Path]):
        given = [Path(directory) for directory in directories]
        self.encodings = encodings_in(given)
        self.removals = removals_in(given)
        self.job = self.encodings[0].job
        self.directories = [
            directory for encoding in self.encodings for directory in encoding.directories
        ]
        files = []
        contents = []
        for directory in self.directories:
            for path in _vector_files(directory):
                file, content = _open_file(path)
                files.append(file)
                contents.append(content)
        if not files:
            got = made_by(self.directories[0]) or "none"
            raise DataError(f"{self.directories[0]}: expected vectors, got {got}")
        self.size = files[0].size
        for file in files:
            if file.size != self.size:
                raise DataError(
                    f"{file.path}: expected vectors of size {self.size}, got {file.size}"
                )
        self._keep(files, IdList(contents))

    def _keep(self, files: list[VectorFile], ids: IdList) -> None:
        """Takes the vectors of files, without those of removed passages. ids: of all rows."""
        rows = _removed_rows(files, ids, self.removals)
        self._files = _parts_without(files, rows)
        self.ids = ids.without(rows)
        self._begins = _begins_of(self._files)

    def rows_by_id(self) -> ndarray:
        """Returns the rows by id, ascending, uint32 [N]. Raises DataError where an id is repeated.

        With several encodings it may be that of a passage that has changed.
        """
        rows, repeated_row = self.ids.sorted_rows()
        if repeated_row is None:
            return rows
        folder = self._files[self._place_of_file(repeated_row)].path.parent
        passage_id = self.ids[repeated_row]
        line = f"{folder}: expected each passage once, got {passage_id!r} again"
        if len(self.encodings) > 1:
            line += " (of a passage that has changed, `rocketqa remove-passages` removes the old)"
        raise DataError(line)

    def _place_of_file(self, row: int) -> int:
        return int(self._begins.searchsorted(row, "right")) - 1

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of_files(self) -> list[tuple[Path, int, int]]:
        """Returns the path of each file and the rows, begin to end, that are in it."""
        ranges: list[tuple[Path, int, int]] = []
        for file, begin in zip(self._files, self._begins.tolist()):
            first = begin
            if ranges and ranges[-1][0] == file.path:
                _, first, _ = ranges.pop()
            ranges.append((file.path, first, begin + file.rows))
        return ranges

    def read(self, begin: int, end: int) -> ndarray:
        """Returns the vectors of rows begin to end, float32 [end - begin, H], in memory.

        Raises DataError on nan and infinity.
        """
        vectors = np.empty((end - begin, self.size), float32)
        place = self._place_of_file(begin)
        row = begin
        while row < end:
            file = self._files[place]
            first = self._begins[place]  # row of the matrix where the file begins
            last = min(end, first + file.rows)
            _read_rows(file, row - first, vectors[row - begin : last - begin])
            row = last
            place += 1
        self._refuse_not_finite(vectors, begin)
        return vectors

    def at(self, rows: ndarray) -> ndarray:
        """Returns the vectors of some rows, int64 [n]: float32 [n, H]. Each is read on its own."""
        vectors = np.empty((len(rows), self.size), float32)
        places_of_files = self._begins.searchsorted(rows, "right") - 1
        for place in np.unique(places_of_files):
            wanted = np.flatnonzero(places_of_files == place)
            rows_of_file = rows[wanted] - self._begins[place]
            vectors[wanted] = _rows_at(self._files[place], rows_of_file)
        return vectors

    def sample(self, count: int) -> ndarray:
        """Returns about `count` vectors, in SAMPLE_PIECES pieces from all over the store."""
        pieces = min(SAMPLE_PIECES, count)
        piece_rows = count // pieces
        last_begin = len(self) - piece_rows
        begins = np.linspace(0, last_begin, pieces).astype(int)
        vectors = []
        for begin in begins.tolist():
            vectors.append(self.read(begin, begin + piece_rows))
        return np.concatenate(vectors)

    def _refuse_not_finite(self, vectors: ndarray, begin: int) -> None:
        sums = np.einsum("ij->i", vectors)
        for row in np.flatnonzero(~np.isfinite(sums)):
            if np.isfinite(vectors[row]).all():
                continue  # the sum overflowed although each number is finite
            place = self.directories[0]
            vector_id = self.ids[begin + row]
            raise DataError(
                f"{place}: expected finite vectors, got nan or inf in that of {vector_id!r}"
            )


def _begins_of(files: Sequence[VectorFile]) -> ndarray:
    """Returns the row of the matrix where each file begins, int64."""
    counts = [file.rows for file in files]
    return np.cumsum([0, *counts[:-1]])


def _removed_rows(files: Sequence[VectorFile], ids: IdList, removals: Sequence[Removal]) -> ndarray:
    """Returns the rows of removed passages, int64 ascending.

    ids: of the rows of all files. A list removes nothing from files of other folders than its own.
    """
    begins = _begins_of(files)
    removed = [np.empty(0, np.int64)]
    for removal in removals:
        is_own = np.array([file.path.parent in removal.directories for file in files])
        rows = ids.rows_of(removal.ids)
        places = begins.searchsorted(rows, "right") - 1
        removed.append(rows[is_own[places]])
    return np.unique(np.concatenate(removed))


def _parts_without(files: Sequence[VectorFile], rows: ndarray) -> list[VectorFile]:
    """Returns the parts of files that lie between some rows of the matrix, int64 ascending."""
    parts = []
    for file, begin in zip(files, _begins_of(files)):
        low, high = rows.searchsorted([begin, begin + file.rows])
        rows_of_file = rows[low:high] - begin
        first = 0
        for border in [*rows_of_file.tolist(), file.rows]:
            if first < border:
                parts.append(file.part(first, border))
            first = border + 1
    return parts


def _vector_files(directory: Path) -> list[Path]:
    """Returns the files of vectors of a directory, sorted.

    Raises DataError where one is not listed by the manifest of the directory.
    """
    paths = sorted(directory.glob("vectors.*.npy"))
    listed = read_manifest(directory).get("outputs")
    if not isinstance(listed, dict):
        return paths
    for path in paths:
        if path.name not in listed:
            raise DataError(
                f"{path}: expected only files that {MANIFEST} lists, got another: remove it"
            )
    return paths


def _open_file(path: Path) -> tuple[VectorFile, bytes]:
    """Returns a file of vectors and the lines with the ids of its rows."""
    lines = _id_lines(path.with_suffix(".ids"))
    id_count = lines.count(b"\n")
    try:
        vectors = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: expected vectors of NumPy, got {one_line(error)}") from error
    if vectors.ndim != 2 or vectors.dtype not in DTYPES or not vectors.flags.c_contiguous:
        got = f"{vectors.dtype} {list(vectors.shape)}"
        raise DataError(f"{path}: expected rows of float32 or float16, got {got}")
    if id_count != len(vectors):
        raise DataError(f"{path}: expected a vector for each of {id_count} ids, got {len(vectors)}")
    rows, size = vectors.shape
    return VectorFile(path, vectors.dtype, rows, size, vectors.offset), lines


def _id_lines(path: Path) -> bytes:
    """Returns the lines of a file of ids. Raises DataError where they are not UTF-8."""
    lines = path.read_bytes()
    try:
        lines.decode()
    except UnicodeDecodeError as error:
        got = f"byte {lines[error.start]:#04x} at {error.start}"
        raise DataError(f"{path}: expected ids in UTF-8, got {got}") from error
    return lines


def _read_rows(file: VectorFile, first: int, vectors: ndarray) -> None:
    """Fills `vectors` with the rows of a file from `first`.

    The file is not memory-mapped: mapped pages would count as memory in use.
    """
    row_bytes = file.size * file.dtype.itemsize
    with file.path.open("rb") as source:
        source.seek(file.offset + first * row_bytes)
        if file.dtype == float32:
            source.readinto(vectors.data.cast("B"))
        else:
            numbers = np.fromfile(source, file.dtype, vectors.size)
            vectors[:] = numbers.reshape(vectors.shape)


def _rows_at(file: VectorFile, rows: ndarray) -> ndarray:
    """Returns the vectors of some rows of a file, [n, H] of its own type."""
    vectors = np.empty((len(rows), file.size), file.dtype)
    row_bytes = file.size * file.dtype.itemsize
    with file.path.open("rb", buffering=0) as source:
        for row, vector in zip(rows.tolist(), vectors):
            source.seek(file.offset + row * row_bytes)
            source.readinto(vector.data.cast("B"))
    return vectors


def check_same_size(queries: VectorStore, passages: VectorStore) -> None:
    """Raises DataError where the vectors of queries have another size than those of passages."""
    if queries.size != passages.size:
        raise DataError(
            f"{queries.directories[0]}: expected vectors of size {passages.size}, as in "
            f"{passages.directories[0]}, got {queries.size}: encode again with one dual encoder"
        )
