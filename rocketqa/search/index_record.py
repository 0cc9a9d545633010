"""What the manifest of a kept index says: the vectors that it is of, and how well it finds them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.digests import MANIFEST, digest, listed_digest, refuse_changed_manifest
from rocketqa.jobs.manifest import made_by, verb_of

INDEX = "index"  # the verb that makes an index
MAKE = f"`rocketqa {INDEX}`"


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
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing there"
        expected = "expected the folder of an index"
        raise DataError(f"{folder}: {expected}, got {got}: make it with {MAKE}")
    if verb_of(folder) != INDEX:
        got = made_by(folder) or "something else"
        raise DataError(f"{folder}: expected the output of `{INDEX}`, got {got}")
    manifest = read_json_object(folder / MANIFEST)
    refuse_changed_manifest(manifest.fields, folder / MANIFEST)
    inputs = manifest.nested("job").nested("inputs")
    digests = [listed_digest(path) or digest(path) for path in passage_vectors]
    if inputs.require("passage_vectors", list) != digests:
        names = " ".join(str(path) for path in passage_vectors)
        raise DataError(
            f"{folder}: expected an index of the vectors in {names}, in this order, "
            f"got one of others: make it again with {MAKE}"
        )
    return IndexRecord(manifest.number("overlap"), manifest.positive("overlap_depth"))
