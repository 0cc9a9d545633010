"""Loads the vectors of an encoding into a collection of Milvus, a file at a time.

A file that was begun by a process which was killed is loaded once more by upserts, so no passage is
there twice. Files of folders that came later are loaded beside those that are there; passages of
lists that came later are deleted first, because a later folder may have their ids again.
"""

from pathlib import Path
from typing import Any

from rocketqa.files.errors import DataError
from rocketqa.jobs.progress import bar
from rocketqa.search.milvus_client import LONGEST_CALL, milvus_errors_as_one_line
from rocketqa.search.milvus_record import (
    OTHER_NAME,
    PROPERTY,
    MilvusCollection,
    MilvusIndex,
    MilvusRecord,
    count_of,
    lists_in,
    refuse_other_vectors,
)
from rocketqa.search.milvus_search import ID, METRIC, VECTOR
from rocketqa.search.removals import ids_in_list
from rocketqa.search.vectors import VectorStore

LONGEST_ID = 1024  # bytes
BYTES_AT_ONCE = 8 << 20  # of vectors in one call; Milvus takes 64 MB
IDS_AT_ONCE = 1000  # passages that are deleted in one call


def load(
    collection: MilvusCollection,
    passages: VectorStore,
    digests: dict[Path, str],
    index: MilvusIndex,
) -> MilvusRecord:
    """Returns the record of the collection when all vectors are in it, with their index.

    digests: of the folders of vectors and of lists. The record is not finished: nobody has measured
    the index. Raises DataError on a collection of other vectors, before anything is changed.
    """
    record = collection.read()
    if record is None:
        record = _create(collection, passages, index)
    refuse_other_vectors(collection, record, digests)
    if record.rows is not None:
        record = _written(collection, record._replace(rows=None))
    record = _delete_removed(collection, record, digests)
    record = _load_files(collection, record, passages, digests)
    _make_index(collection, index)
    record = _written(collection, record._replace(made_with=index))
    found = count_of(collection)
    if found != len(passages):
        raise DataError(
            f"{collection}: expected {len(passages)} vectors, got {found}: another program has "
            f"changed it: {OTHER_NAME}"
        )
    return record


def is_up_to_date(
    record: MilvusRecord | None, digests: dict[Path, str], index: MilvusIndex
) -> bool:
    """Returns whether all vectors are there with this index."""
    if record is None or record.rows is None or record.made_with != index:
        return False
    return {*record.loaded, *record.removed} == set(digests.values())


def _written(collection: MilvusCollection, record: MilvusRecord) -> MilvusRecord:
    collection.write(record)
    return record


def _create(
    collection: MilvusCollection, passages: VectorStore, index: MilvusIndex
) -> MilvusRecord:
    """Makes an empty collection, which has its record from the first moment."""
    from pymilvus import DataType  # type: ignore

    record = MilvusRecord(passages.size, index)
    client = collection.client
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(ID, DataType.VARCHAR, is_primary=True, max_length=LONGEST_ID)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=passages.size)
    with milvus_errors_as_one_line(collection.uri):
        client.create_collection(
            collection.name,
            schema=schema,
            properties={PROPERTY: collection.text(record)},
            consistency_level="Strong",
            timeout=LONGEST_CALL,
        )
    return record


def _delete_removed(
    collection: MilvusCollection, record: MilvusRecord, digests: dict[Path, str]
) -> MilvusRecord:
    """Deletes the passages of lists that are new to the collection."""
    for folder in lists_in(digests):
        if digests[folder] in record.removed:
            continue
        passage_ids = ids_in_list(folder) if record.loaded or record.begun else []
        for begin in range(0, len(passage_ids), IDS_AT_ONCE):
            some_ids = passage_ids[begin : begin + IDS_AT_ONCE]
            with milvus_errors_as_one_line(collection.uri):
                collection.client.delete(collection.name, ids=some_ids, timeout=LONGEST_CALL)
        removed = [*record.removed, digests[folder]]
        record = _written(collection, record._replace(removed=removed))
    return record


def _load_files(
    collection: MilvusCollection,
    record: MilvusRecord,
    passages: VectorStore,
    digests: dict[Path, str],
) -> MilvusRecord:
    """Loads the files that are not there."""
    by_folder = {folder.absolute(): sha256 for folder, sha256 in digests.items()}
    total = len(passages)
    with bar(total=total, unit="passage", unit_scale=True, desc="load") as progress:
        for path, begin, end in passages.rows_of_files():
            place = [by_folder[path.parent.absolute()], path.name]
            if path.name in record.loaded.get(place[0], []):
                progress.update(end - begin)
                continue
            is_begun = record.begun == place
            if not is_begun:
                record = _written(collection, record._replace(begun=place))
            for first in range(begin, end, _rows_at_once(passages)):
                last = min(first + _rows_at_once(passages), end)
                _send(collection, passages, first, last, is_begun)
                progress.update(last - first)
            record = _written(collection, _with_file(record, *place))
    folders = set(digests) - set(lists_in(digests))
    loaded = {digests[folder]: record.loaded.get(digests[folder], []) for folder in folders}
    return record._replace(loaded=loaded)


def _with_file(record: MilvusRecord, sha256: str, name: str) -> MilvusRecord:
    """Returns the record when a file is loaded."""
    names = [*record.loaded.get(sha256, []), name]
    return record._replace(loaded={**record.loaded, sha256: names}, begun=[])


def _rows_at_once(passages: VectorStore) -> int:
    return max(1, BYTES_AT_ONCE // (4 * passages.size))


def _send(
    collection: MilvusCollection, passages: VectorStore, begin: int, end: int, is_begun: bool
) -> None:
    """Sends the passages of some rows. is_begun: they may be there already."""
    vectors = passages.read(begin, end)
    rows: list[dict[str, Any]] = []
    for row, vector in enumerate(vectors, begin):
        passage_id = passages.ids[row]
        _refuse_long(passage_id)
        rows.append({ID: passage_id, VECTOR: vector})
    client = collection.client
    send = client.upsert if is_begun else client.insert
    with milvus_errors_as_one_line(collection.uri):
        send(collection.name, rows, timeout=LONGEST_CALL)


def _refuse_long(passage_id: str) -> None:
    if len(passage_id.encode()) > LONGEST_ID:
        raise DataError(
            f"--passage-vectors: expected ids of at most {LONGEST_ID} bytes, got "
            f"{passage_id[:40]!r}..."
        )


def _make_index(collection: MilvusCollection, index: MilvusIndex) -> None:
    """Makes the index anew of everything that is there, and opens the collection for searching."""
    client = collection.client
    name = collection.name
    params = client.prepare_index_params()
    params.add_index(
        VECTOR, index_type=index.type, metric_type=METRIC, params={"params": index.build}
    )
    with milvus_errors_as_one_line(collection.uri):
        client.flush(name, timeout=LONGEST_CALL)
        client.release_collection(name, timeout=LONGEST_CALL)
        for old in client.list_indexes(name):
            client.drop_index(name, old, timeout=LONGEST_CALL)
        client.create_index(name, params, timeout=LONGEST_CALL)
