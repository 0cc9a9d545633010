"""A record is read as it was written, and that of another version or program is refused."""

import json

import pytest

from rocketqa.files.errors import DataError
from rocketqa.search.milvus_record import (
    PROPERTY,
    MilvusCollection,
    MilvusIndex,
    MilvusRecord,
    read_parameters,
)

RECORD = MilvusRecord(8, MilvusIndex("IVF_FLAT", {"nlist": 4}, {}), {"d": ["a", "b"]}, ["d", "c"])


def test_parameters_are_numbers_or_texts():
    assert read_parameters("M=16,x=.5,kind=SQ8") == {"M": 16, "x": 0.5, "kind": "SQ8"}
    assert read_parameters("") == {}
    with pytest.raises(DataError, match="expected NAME=VALUE,NAME=VALUE, got 'M'"):
        read_parameters("M")


def test_a_record_lies_in_the_properties_of_its_collection(tmp_path):
    pymilvus = pytest.importorskip("pymilvus", reason="the extra `milvus` is missing")
    pytest.importorskip("milvus_lite", reason="the extra `milvus` is missing")
    uri = str(tmp_path / "a.db")
    client = pymilvus.MilvusClient(uri)
    collection = MilvusCollection(client, uri, "c")
    assert collection.read() is None
    client.create_collection("c", dimension=8)
    with pytest.raises(DataError, match="a.db c: expected a collection that `rocketqa load` made"):
        collection.read()
    collection.write(RECORD)
    assert collection.read() == RECORD
    client.alter_collection_properties("c", properties={PROPERTY: json.dumps({"schema": 9})})
    with pytest.raises(DataError, match="expected a collection with schema version 1, got 9: drop"):
        collection.read()
