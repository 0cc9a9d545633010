"""An index is opened only with the vectors that it was made of."""

import json
import shutil

import numpy as np
import pytest
from ranked_collection import run_verb
from vectors_fixture import write_vectors

from rocketqa.files.errors import DataError
from rocketqa.search.index_record import IndexRecord, read_record


@pytest.fixture
def vectors(tmp_path):
    """Two folders of vectors, and an index of both."""
    folders = []
    for name in ("one", "two"):
        ids = [f"{name}{number}" for number in range(20)]
        shard = "1/2" if name == "one" else "2/2"
        job = {"shard": shard, "checkpoint": "m"}
        folders.append(write_vectors(tmp_path / name, ids, np.eye(20, 8), **job))
    run_verb(
        "index", "--factory", "Flat", "--output", tmp_path / "i", "--passage-vectors", *folders
    )
    return folders


def test_the_record_says_what_was_measured(vectors, tmp_path):
    assert read_record(tmp_path / "i", vectors) == IndexRecord(1.0, 100)


def test_vectors_in_another_order_fewer_or_changed_ones_are_refused(vectors, tmp_path):
    expected = "expected an index of the vectors in .*, in this order, got one of others: make it"
    for others in (vectors[::-1], vectors[:1]):
        with pytest.raises(DataError, match=f"^{tmp_path}/i: {expected}"):
            read_record(tmp_path / "i", others)
    write_vectors(vectors[0], ["new"], np.ones((1, 8)), shard="1/2", checkpoint="m")
    with pytest.raises(DataError, match=expected):
        read_record(tmp_path / "i", vectors)


def test_a_copy_of_the_vectors_is_as_good(vectors, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / f"{folder.name}-copy") for folder in vectors]
    assert read_record(tmp_path / "i", copies).overlap == 1.0


def test_vectors_with_a_list_of_their_digests_are_not_read_again(encoded, tmp_path):
    vectors = tmp_path / "vectors"
    shutil.copytree(encoded / "vectors", vectors)
    run_verb("index", "--factory", "Flat", "--output", tmp_path / "i", "--passage-vectors", vectors)
    (vectors / "vectors.00000.npy").write_bytes(b"")
    assert read_record(tmp_path / "i", [vectors]).depth == 100


def test_what_is_no_index_is_refused(vectors, tmp_path):
    with pytest.raises(DataError, match="no: expected the folder of an index, got nothing there: "):
        read_record(tmp_path / "no", vectors)
    (tmp_path / "mine.faiss").write_bytes(b"an index of another program")
    with pytest.raises(DataError, match="mine.faiss: expected the folder of an index, got a file"):
        read_record(tmp_path / "mine.faiss", vectors)
    with pytest.raises(
        DataError, match="one: expected the output of `index`, got the output of `e"
    ):
        read_record(vectors[0], vectors)
    manifest = tmp_path / "i" / "meta.json"
    fields = json.loads(manifest.read_text())
    del fields["overlap"], fields["digest"]
    manifest.write_text(json.dumps(fields))
    with pytest.raises(DataError, match="meta.json: expected a number for overlap, got nothing"):
        read_record(tmp_path / "i", vectors)
