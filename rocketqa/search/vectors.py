"""Vectors on disk: one matrix in many files, of one directory or several, read piece by piece.

A directory holds, for each shard, `vectors.NNNNN.npy` (float32 or float16 [n, H]) and `vectors.NNNNN.ids`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.job import MANIFEST

DTYPES = (np.float32, np.float16)


class VectorFile(NamedTuple):
    path: Path
    ids: np.ndarray | None  # bytes [n], UTF-8, whose order is that of the strings
    dtype: np.dtype
    size: int  # H
    offset: int  # of the first vector, in bytes


def shard_paths(directory: Path, shard: int) -> tuple[Path, Path]:
    """Returns the paths of a shard's vectors and ids."""
    stem = f"vectors.{shard:05}"
    return directory / f"{stem}.npy", directory / f"{stem}.ids"


class VectorStore:
    """The vectors of all files of the directories, as one matrix [N, H] that stays on disk.

    ids: of its rows, bytes [N]. size: H. Raises DataError on directories that do not belong together, files that do
    not fit their ids, vectors of unequal size.
    """

    def __init__(self, directories: Sequence[Path]):
        self.directories = list(map(Path, directories))
        self.manifest = check_directories(self.directories)
        self._files = [
            _open(path)
            for directory in self.directories
            for path in sorted(directory.glob("vectors.*.npy"))
        ]
        if not self._files:
            raise DataError(f"{self.directories[0]}: expected vectors, got none")
        self.size = self._files[0].size
        for file in self._files:
            if file.size != self.size:
                raise DataError(
                    f"{file.path}: expected vectors of size {self.size}, got {file.size}"
                )
        self._begins = np.cumsum([0, *(len(file.ids) for file in self._files)]).tolist()
        self.ids = np.concatenate([file.ids for file in self._files])
        self._files = [file._replace(ids=None) for file in self._files]

    def __len__(self) -> int:
        return self._begins[-1]

    def read(self, begin: int, end: int) -> np.ndarray:
        """Returns rows begin to end, float32 [end - begin, H], in memory. Raises DataError on nan and inf."""
        vectors = np.empty((end - begin, self.size), np.float32)
        for file, first, last in zip(self._files, self._begins, self._begins[1:]):
            low, high = max(begin, first), min(end, last)
            if low < high:
                _read(file, low - first, vectors[low - begin : high - begin])
        wrong = np.flatnonzero(~np.isfinite(np.einsum("ij->i", vectors)))
        for row in wrong:  # a sum may overflow where no number does
            if not np.isfinite(vectors[row]).all():
                raise DataError(
                    f"{self.directories[0]}: expected finite vectors, got nan or inf in that of "
                    f"{self.ids[begin + row].decode()!r}"
                )
        return vectors


def _open(path: Path) -> VectorFile:
    ids = np.array(path.with_suffix(".ids").read_bytes().split(b"\n")[:-1], bytes)
    vectors = np.load(path, mmap_mode="r")
    if vectors.ndim != 2 or vectors.dtype not in DTYPES or not vectors.flags.c_contiguous:
        raise DataError(
            f"{path}: expected rows of float32 or float16, got {vectors.dtype} {list(vectors.shape)}"
        )
    if len(ids) != len(vectors):
        raise DataError(f"{path}: expected a vector for each of {len(ids)} ids, got {len(vectors)}")
    return VectorFile(path, ids, vectors.dtype, vectors.shape[1], vectors.offset)


def _read(file: VectorFile, first: int, vectors: np.ndarray) -> None:
    """Fills `vectors` with rows from `first`. Not memory-mapped: what is mapped counts as memory."""
    with file.path.open("rb") as source:
        source.seek(file.offset + first * file.size * file.dtype.itemsize)
        if file.dtype == np.float32:
            source.readinto(memoryview(vectors).cast("B"))
        else:
            vectors[:] = np.fromfile(source, file.dtype, vectors.size).reshape(vectors.shape)


def read_manifest(directory: Path) -> dict | None:
    """Returns the manifest that `rocketqa encode` has left in a directory, or None where the vectors are one's own."""
    path = directory / MANIFEST
    if not path.is_file():
        return None
    manifest = read_object(path)
    job = manifest.get("job")
    if not isinstance(job, dict) or not all(
        isinstance(job.get(part), dict) for part in ("flags", "inputs")
    ):
        raise DataError(f"{path}: expected the manifest of an encoding, got something else")
    return manifest


def check_directories(directories: Sequence[Path]) -> dict | None:
    """Returns the job of the encoding, None for vectors of one's own, where the directories are its shards 1 to n."""
    jobs = [manifest and _job(manifest) for manifest in map(read_manifest, directories)]
    if len(directories) == 1 and jobs[0] is None:
        return None
    for directory, job in zip(directories, jobs):
        if job is None:
            raise DataError(f"{directory}: expected the {MANIFEST} of an encoding, got none")
        for name in sorted(job.keys() | jobs[0].keys()):
            if name != "shard" and job.get(name) != jobs[0].get(name):
                raise DataError(
                    f"{directory}: expected the same {name.replace('_', '-')} as in {directories[0]}, got "
                    f"another: {'encode it again' if isinstance(job.get(name), list) else job.get(name)}"
                )
    _check_shards(directories, [job["shard"] or "1/1" for job in jobs])
    return jobs[0]


def check_same_encoder(queries: VectorStore, passages: VectorStore) -> None:
    """Raises DataError where the manifests name two dual encoders. Vectors of one's own have none."""
    if (
        queries.manifest
        and passages.manifest
        and queries.manifest["checkpoint"] != passages.manifest["checkpoint"]
    ):
        raise DataError(
            f"{queries.directories[0]}: expected vectors of the dual encoder that encoded "
            f"{passages.directories[0]}, got those of another: encode again"
        )


def _job(manifest: dict) -> dict:
    """Returns flags and inputs' digests by name."""
    return {"shard": None} | manifest["job"]["flags"] | manifest["job"]["inputs"]


def _check_shards(directories: Sequence[Path], shards: list[str]) -> None:
    count = int(shards[0].partition("/")[2])
    expected = [f"{number}/{count}" for number in range(1, count + 1)]
    for directory, shard in zip(directories, shards):
        if shard not in expected or shards.count(shard) > 1:
            raise DataError(
                f"{directory}: expected shards 1/{count} to {count}/{count} once each, got {shard} "
                f"{'again' if shards.count(shard) > 1 else 'too'}"
            )
    if missing := [shard for shard in expected if shard not in shards]:
        raise DataError(
            f"{directories[0]}: expected shards 1/{count} to {count}/{count}, got no {missing[0]}"
        )
