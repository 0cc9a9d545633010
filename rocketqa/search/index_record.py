"""What the manifest of a kept index says: what it is of, and how well it finds it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object
from rocketqa.jobs.digests import MANIFEST, digest, listed_digest, refuse_changed_manifest
from rocketqa.jobs.manifest import made_by, verb_of

INDEX = "index"  # the verb that makes an index


class IndexRecord(NamedTuple):
    """What was measured of an index.

    overlap: the share of the exact best `depth` passages that it finds.
    """

    overlap: float
    depth: int


def read_record(folder: Path, passage_vectors: Sequence[Path]) -> IndexRecord:
    """Returns the record of an index of the vectors in some folders.

    Only manifests are read where there are some. Raises DataError where the folder is no index, and
    where the index is of other vectors: as these belong to a checkpoint, so does the index.
    """
    manifest = manifest_of_index(folder, INDEX, "an index")
    inputs = manifest.nested("job").nested("inputs")
    digests = [listed_digest(path) or digest(path) for path in passage_vectors]
    if inputs.require("passage_vectors", list) != digests:
        names = " ".join(str(path) for path in passage_vectors)
        raise DataError(
            f"{folder}: expected an index of the vectors in {names}, in this order, "
            f"got one of others: make it again with {maker(INDEX)}"
        )
    return IndexRecord(manifest.number("overlap"), manifest.positive("overlap_depth"))


def manifest_of_index(folder: Path, verb: str, what: str) -> JsonObject:
    """Returns the manifest of an index that is kept in a folder.

    what: the index in words. Raises DataError where the folder is no output of the verb.
    """
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        expected = f"expected the folder of {what}"
        raise DataError(f"{folder}: {expected}, got {got}: make it with {maker(verb)}")
    if verb_of(folder) != verb:
        got = made_by(folder) or "something else"
        raise DataError(f"{folder}: expected the output of `{verb}`, got {got}")
    manifest = read_json_object(folder / MANIFEST)
    refuse_changed_manifest(manifest.fields, folder / MANIFEST)
    return manifest


def maker(verb: str) -> str:
    """Returns the command that makes an index, as a message names it."""
    return f"`rocketqa {verb}`"
