"""The texts of encoded passages: each encoding with the collection file that it was made of."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from rocketqa.files.collection import CollectionFile, PassagesOfFiles
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.jobs.digests import digest, refuse_damaged
from rocketqa.search.encodings import COLLECTION, Encoding, digests_before_tokenizing
from rocketqa.search.removals import Removal
from rocketqa.search.vectors import VectorStore


def texts_of(passages: VectorStore, collections: Sequence[Path]) -> Mapping[str, Passage]:
    """Returns the passages whose vectors are in a store, with their texts, which stay on disk.

    collections: the files that were encoded, in any order. A passage that has changed is in
    several of them; its text is that of the file whose vector counts.

    Raises DataError where a file was not encoded or is damaged, and where one is missing. Vectors
    without a manifest may be of any file.
    """
    texts = []
    for path, left_out in left_out_by_file(passages, collections).items():
        texts.append((CollectionFile(path), left_out))
    if len(texts) == 1 and not passages.removals:
        return texts[0][0]
    return PassagesOfFiles(texts)


def left_out_by_file(passages: VectorStore, collections: Sequence[Path]) -> dict[Path, Set[str]]:
    """Returns each collection file with the ids of the passages that are removed from it.

    Raises DataError as `texts_of` does.
    """
    left_out: dict[Path, Set[str]] = {}
    for path, encoding in _files_of_encodings(passages, collections).items():
        left_out[path] = _left_out(encoding, passages.removals)
    return left_out


def _files_of_encodings(passages: VectorStore, collections: Sequence[Path]) -> dict[Path, Encoding]:
    """Returns the file of each encoding."""
    if passages.job is None and len(collections) == 1:
        refuse_damaged(*collections)
        return {collections[0]: passages.encodings[0]}
    by_digest = {digest(path): path for path in collections}
    files: dict[Path, Encoding] = {}
    without_file = []
    for encoding in passages.encodings:
        path = _file_of(encoding, by_digest)
        if path is None:
            without_file.append(encoding.directories[0])
        else:
            files[path] = encoding
    for path in collections:
        if path not in files:
            folder = [*without_file, *passages.directories][0]
            raise other_source(path, "collection", folder)
    if without_file:
        raise DataError(
            f"--collection: expected the file that {without_file[0]} was encoded with, too, got "
            f"{len(collections)} of {len(passages.encodings)} files"
        )
    return files


def _file_of(encoding: Encoding, by_digest: Mapping[str, Path]) -> Path | None:
    """Returns the file that an encoding was made of; None where it is not among those given."""
    for digests in _digests_of_source(encoding):
        if isinstance(digests, list) and digests and digests[0] in by_digest:
            return by_digest[digests[0]]
    return None


def _digests_of_source(encoding: Encoding) -> Iterator[object]:
    """Yields the digests of what was encoded; then those of the file whose tokens that were."""
    if encoding.job is not None:
        yield encoding.job[COLLECTION]
        yield digests_before_tokenizing(encoding.directories[0])


def _left_out(encoding: Encoding, removals: Sequence[Removal]) -> Set[str]:
    """Returns the ids of the passages that are removed from an encoding."""
    folders = set(encoding.directories)
    left_out: set[str] = set()
    for removal in removals:
        if removal.directories & folders:
            left_out |= removal.ids
    return left_out


def other_source(path: Path, name: str, folder: Path) -> DataError:
    """Returns the error that another file or checkpoint was encoded, for the caller to raise."""
    return DataError(
        f"{path}: expected the {name} that {folder} was encoded with, got another: encode again"
    )
