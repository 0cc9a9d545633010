"""An encoded collection as the two files that Pyserini's FaissSearcher opens, and plain faiss too.

index    faiss' IndexFlatIP: every vector as float32, searched exactly by inner product
docid    (the name is Pyserini's) the passage_id of each vector, one a line, in order
"""

import struct
from pathlib import Path

import faiss
import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.rows import is_valid_id, wrong_in_id
from rocketqa.jobs.progress import bar
from rocketqa.search.vectors import VectorStore

INDEX = "index"
IDS = "docid"  # Pyserini's name
BYTES_AT_ONCE = 1 << 28
# Two numbers in the header of faiss' file change with the vectors: how many there are, which stands
# at this place, and how many floats follow, which stands at the end.
PLACE_OF_COUNT = 8
NUMBER = struct.Struct("<Q")


def write_faiss_files(vectors: VectorStore, folder: Path) -> None:
    """Writes both files into a folder; a block of the vectors is in memory at a time.

    Raises DataError on an id with spaces, which Pyserini removes from the end of a line, or NUL.
    """
    for passage_id in vectors.ids:
        if not is_valid_id(passage_id):
            raise DataError(
                f"{vectors.directories[0]}: expected ids without {wrong_in_id(passage_id)}, "
                f"got {passage_id!r}"
            )
    write_lines(folder / IDS, vectors.ids)
    write_flat_index(vectors, folder / INDEX)
    check_flat_index(vectors, folder / INDEX)


def write_flat_index(vectors: VectorStore, path: Path) -> None:
    """Writes the file that faiss writes of an IndexFlatIP that holds all vectors.

    faiss itself can only write an index that is whole in memory.
    """
    block_rows = max(1, BYTES_AT_ONCE // (4 * vectors.size))
    count = len(vectors)
    with path.open("wb") as file, bar(total=count, unit="passage", desc="index") as progress:
        file.write(flat_header(count, vectors.size))
        for begin in range(0, count, block_rows):
            end = min(begin + block_rows, count)
            file.write(vectors.read(begin, end).data)
            progress.update(end - begin)


def flat_header(count: int, size: int) -> bytes:
    """Returns the header of an IndexFlatIP of `count` vectors: that of an empty one, with its
    numbers.
    """
    empty_index = faiss.serialize_index(faiss.IndexFlatIP(size))
    header = bytearray(empty_index.tobytes())
    NUMBER.pack_into(header, PLACE_OF_COUNT, count)
    NUMBER.pack_into(header, len(header) - NUMBER.size, count * size)
    return bytes(header)


def check_flat_index(vectors: VectorStore, path: Path) -> None:
    """Raises DataError where faiss does not find the vectors in a file: another version of it may
    have another header.

    The file stays on disk.
    """
    if not is_read_back(vectors, path):
        raise DataError(
            f"{path}: expected a file that faiss {faiss.__version__} reads back, got another: "
            "install the version of faiss that setup.py names"
        )


def is_read_back(vectors: VectorStore, path: Path) -> bool:
    """Returns whether faiss finds as many vectors in a file, and the last one as it is.

    The file stays on disk.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError:
        return False
    if (index.ntotal, index.d) != (len(vectors), vectors.size):
        return False
    last = len(vectors) - 1
    return np.array_equal(index.reconstruct(last), vectors.read(last, last + 1)[0])
