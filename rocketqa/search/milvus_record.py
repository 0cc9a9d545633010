"""What a collection of Milvus is of: a record in the collection's own properties.

The record names the folders of an encoding by their digests, and which of their files are loaded.
It is written before and after each file, so whoever goes on after a kill knows which file may be
there in part.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import digest, listed_digest
from rocketqa.search.encodings import is_removal
from rocketqa.search.index_record import IndexRecord
from rocketqa.search.milvus_client import LONGEST_CALL, milvus_errors_as_one_line

SCHEMA = 1  # version of the fields of a collection and of its record
PROPERTY = "rocketqa"  # the property that holds the record, as JSON
LOAD = "`rocketqa load`"
OTHER_NAME = "drop it, or name another with --milvus-collection"

Parameters = dict[str, int | float | str]


def read_parameters(text: str) -> Parameters:
    """Returns the parameters in a text NAME=VALUE,...; none of an empty text.

    Raises DataError where it is something else.
    """
    found: Parameters = {}
    for word in text.split(",") if text else []:
        name, equals, value = word.partition("=")
        if not name.isidentifier() or not equals or not value:
            raise DataError(f"expected NAME=VALUE,NAME=VALUE, got {text!r}")
        found[name] = _number_or_text(value)
    return found


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class MilvusIndex(NamedTuple):
    """An index as Milvus has it: its type, the parameters it is made and searched with."""

    type: str
    build: Parameters
    search: Parameters


class MilvusRecord(NamedTuple):
    """What is loaded.

    size: H. loaded: digest of a folder -> its files that are loaded, by name. begun: digest and
    name of the file that is being loaded; empty: none. removed: digests of the lists whose passages
    are deleted. rows: number of vectors; None: loading has not ended. overlap: the share of the
    exact best `depth` passages that the index finds.
    """

    size: int
    made_with: MilvusIndex
    loaded: dict[str, list[str]] = {}
    begun: list[str] = []
    removed: list[str] = []
    rows: int | None = None
    overlap: float = 0.0
    depth: int = 0


class MilvusCollection(NamedTuple):
    """A collection of a Milvus. client: of pymilvus. uri, name: where it is."""

    client: Any
    uri: str
    name: str

    def __str__(self) -> str:
        return f"{self.uri} {self.name}"

    def text(self, record: MilvusRecord) -> str:
        """Returns the value of the property for a record."""
        index = record.made_with._asdict()
        return json.dumps({"schema": SCHEMA, **record._asdict(), "made_with": index})

    def write(self, record: MilvusRecord) -> None:
        """Replaces the record."""
        with milvus_errors_as_one_line(self.uri):
            self.client.alter_collection_properties(
                self.name, properties={PROPERTY: self.text(record)}, timeout=LONGEST_CALL
            )

    def read(self) -> MilvusRecord | None:
        """Returns the record; None where there is no such collection.

        Raises DataError where the collection was made by another program or version.
        """
        with milvus_errors_as_one_line(self.uri):
            if not self.client.has_collection(self.name, timeout=LONGEST_CALL):
                return None
            description = self.client.describe_collection(self.name, timeout=LONGEST_CALL)
        text = dict(description["properties"]).get(PROPERTY)
        if text is None:
            raise DataError(
                f"{self}: expected a collection that {LOAD} made, got another program's: name "
                "another with --milvus-collection"
            )
        fields = _fields_of(text)
        version = fields.pop("schema", None)
        if version != SCHEMA:
            raise DataError(
                f"{self}: expected a collection with schema version {SCHEMA}, got "
                f"{version}: {OTHER_NAME}, and load again with {LOAD}"
            )
        try:
            made_with = MilvusIndex(**fields["made_with"])
            return MilvusRecord(**{**fields, "made_with": made_with})
        except (KeyError, TypeError):
            raise DataError(
                f"{self}: expected the record of {LOAD}, got a damaged one: {OTHER_NAME}"
            ) from None


def _fields_of(text: str) -> dict:
    """Returns the entries of a record; none where it is no JSON object."""
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def digests_of(folders: Sequence[Path], read_files: bool) -> dict[Path, str]:
    """Returns the digest of each folder. read_files: the files are compared with it, too."""
    return {
        folder: digest(folder) if read_files else listed_digest(folder) or digest(folder)
        for folder in folders
    }


def read_finished(collection: MilvusCollection, folders: Sequence[Path]) -> MilvusRecord:
    """Returns the record of a collection that holds the vectors in some folders, in any order.

    Raises DataError where it does not, or not yet, or where the number of vectors is another.
    """
    record = collection.read()
    if record is None:
        raise DataError(f"{collection}: expected a collection, got none: make it with {LOAD}")
    digests = digests_of(folders, read_files=False)
    refuse_other_vectors(collection, record, digests)
    held = {*record.loaded, *record.removed}
    if record.rows is None or held != set(digests.values()):
        count = sum(map(len, record.loaded.values()))
        raise DataError(
            f"{collection}: expected all vectors, got those of {count} "
            f"{'file' if count == 1 else 'files'} so far: go on with {LOAD}"
        )
    found = count_of(collection)
    if found != record.rows:
        raise DataError(
            f"{collection}: expected {record.rows} vectors, got {found}: another program has "
            f"changed it: {OTHER_NAME}"
        )
    return record


def refuse_other_vectors(
    collection: MilvusCollection, record: MilvusRecord, digests: dict[Path, str]
) -> None:
    """Raises DataError where a collection holds vectors, or lacks some, that it should not."""
    others = {*record.loaded, *record.removed, *record.begun[:1]} - set(digests.values())
    if others:
        names = " ".join(str(path) for path in digests)
        raise DataError(
            f"{collection}: expected a collection of the vectors in {names}, got one of others: "
            f"{OTHER_NAME}"
        )


def count_of(collection: MilvusCollection) -> int:
    """Returns the number of vectors of a collection that is open for searching."""
    with milvus_errors_as_one_line(collection.uri):
        collection.client.load_collection(collection.name, timeout=LONGEST_CALL)
        [row] = collection.client.query(
            collection.name,
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
            timeout=LONGEST_CALL,
        )
    return int(row["count(*)"])


def lists_in(digests: dict[Path, str]) -> list[Path]:
    """Returns which of the folders are lists of removed passages."""
    return [folder for folder in digests if is_removal(folder)]


def overlap_of(record: MilvusRecord) -> IndexRecord:
    """Returns what was measured of the index."""
    return IndexRecord(record.overlap, record.depth)
