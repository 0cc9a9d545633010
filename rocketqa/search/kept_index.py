"""An index of faiss that is made once of an encoding, kept on disk, and mapped by every search.

The file holds the index with its parameters for searching. It is mapped into memory, so opening it
takes no time, several processes share it, and only what a search touches is read from disk.
"""

from pathlib import Path

import faiss
import numpy as np
from numpy import ndarray

from rocketqa.files.errors import DataError
from rocketqa.jobs.progress import bar
from rocketqa.jobs.seeds import generator
from rocketqa.search.approximate_search import (
    SAMPLE_QUERIES,
    empty_index,
    faiss_errors_as_one_line,
    set_parameters,
    train,
)
from rocketqa.search.kernels import thread_count
from rocketqa.search.vectors import VectorStore

FILE = "index.faiss"
BYTES_AT_ONCE = 1 << 20  # written at a time
ROWS_AT_ONCE = 1 << 14  # vectors that are added before the progress moves and a signal is heard


class KeptIndex:
    """The index in a folder, as an engine of candidates (`Candidates`).

    parameters: instead of those that it was made with; empty: those. Raises DataError where faiss
    cannot read the file, and where it is of vectors of another number or size.
    """

    def __init__(self, folder: Path, passages: VectorStore, parameters: str = ""):
        path = folder / FILE
        with faiss_errors_as_one_line(str(path)):
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        shape = (self._index.ntotal, self._index.d)
        expected = (len(passages), passages.size)
        if shape != expected:
            raise DataError(f"{path}: expected vectors [{_shown(expected)}], got [{_shown(shape)}]")
        set_parameters(self._index, parameters, "--index-parameters")

    def find(self, queries: ndarray, count: int) -> ndarray:
        """Returns the rows of the candidates of each query, int64 [Q, count]; -1 for none."""
        faiss.omp_set_num_threads(thread_count())
        queries = np.ascontiguousarray(queries)
        _, rows = self._index.search(queries, count)
        return rows


def _shown(shape: tuple[int, int]) -> str:
    rows, size = shape
    return f"{rows}, {size}"


def write_index(
    passages: VectorStore,
    factory: str,
    parameters: str,
    sample: ndarray,
    max_memory: int,
    folder: Path,
) -> None:
    """Makes an index in memory and writes it into a folder.

    factory, parameters: as faiss reads them. sample: the vectors that train it, float32 [n, H].
    max_memory: bytes of vectors in memory at a time, beside the index and the sample. Raises
    DataError where faiss cannot make the index.
    """
    faiss.omp_set_num_threads(thread_count())
    rows_that_fit = max(1, max_memory // (4 * passages.size))
    block_rows = min(ROWS_AT_ONCE, rows_that_fit)
    count = len(passages)
    with faiss_errors_as_one_line(f"--factory {factory}"):
        index = empty_index(passages.size, factory)
    set_parameters(index, parameters, "--parameters")  # before the long work
    with faiss_errors_as_one_line(f"--factory {factory}"):
        train(index, sample)
        with bar(total=count, unit="passage", unit_scale=True, desc="index") as progress:
            for begin in range(0, count, block_rows):
                end = min(begin + block_rows, count)
                index.add(passages.read(begin, end))
                progress.update(end - begin)
    with (folder / FILE).open("wb") as file:  # Python tells of a disk that is full at the end, too
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, BYTES_AT_ONCE))  # type: ignore[attr-defined]


def training_sample(passages: VectorStore, count: int, seed: int) -> ndarray:
    """Returns vectors that train an index, float32 [n, H]: `count` different ones, or all."""
    return _drawn(passages, count, seed, "train an index")


def measuring_sample(vectors: VectorStore, seed: int) -> ndarray:
    """Returns the vectors that the overlap is measured with, float32 [Q, H]."""
    return _drawn(vectors, SAMPLE_QUERIES, seed, "measure an index")


def _drawn(vectors: VectorStore, count: int, seed: int, purpose: str) -> ndarray:
    drawing = generator(seed, purpose)
    drawn_count = min(count, len(vectors))
    rows = drawing.choice(len(vectors), drawn_count, replace=False)
    return vectors.at(np.sort(rows))
