"""A collection is up to date with the same vectors and the same index, in any order of folders."""

from pathlib import Path

from rocketqa.search.milvus_loading import is_up_to_date
from rocketqa.search.milvus_record import MilvusIndex, MilvusRecord

FLAT = MilvusIndex("FLAT", {}, {})
DIGESTS = {Path("list"): "l", Path("one"): "1"}


def test_a_finished_collection_of_the_same_folders_and_index_is_up_to_date():
    record = MilvusRecord(8, FLAT, {"1": ["a"]}, removed=["l"], rows=3)
    assert is_up_to_date(record, DIGESTS, FLAT)
    assert not is_up_to_date(None, DIGESTS, FLAT)
    assert not is_up_to_date(record._replace(rows=None), DIGESTS, FLAT)
    assert not is_up_to_date(record, DIGESTS, FLAT._replace(type="HNSW"))
    assert not is_up_to_date(record, {**DIGESTS, Path("two"): "2"}, FLAT)
