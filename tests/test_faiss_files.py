"""An encoded collection as faiss and Pyserini open it: faiss' own bytes, the same best passages."""

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
from vectors_fixture import DEPTH, retrieve, write_queries_and_passages, write_vectors

from rocketqa.cli.__main__ import main as rocketqa
from rocketqa.files.errors import DataError
from rocketqa.search import faiss_files
from rocketqa.search.faiss_files import check_flat_index
from rocketqa.search.vectors import VectorStore


def export(output: Path, *passages: Path) -> int:
    words = ["export", "--format", "faiss", "--output", output, "--passage-vectors", *passages]
    return rocketqa([str(word) for word in words])


def opened(folder: Path) -> tuple[faiss.Index, list[str]]:
    """Returns index and ids, opened as Pyserini's FaissSearcher does."""
    with (folder / "docid").open() as lines:
        return faiss.read_index(str(folder / "index")), [line.rstrip() for line in lines]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_index_has_the_bytes_that_faiss_writes(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(faiss_files, "BYTES_AT_ONCE", 4 * 5 * 3)  # blocks of 3 vectors
    vectors = np.random.default_rng(1).standard_normal((10, 5)).astype(dtype)
    ids = [f"p{number}" for number in range(10)]
    write_vectors(tmp_path / "passages", ids, vectors, shards=4)
    assert export(tmp_path / "out", tmp_path / "passages") == 0
    expected = faiss.IndexFlatIP(5)
    expected.add(vectors.astype(np.float32))
    faiss.write_index(expected, str(tmp_path / "expected"))
    assert (tmp_path / "out/index").read_bytes() == (tmp_path / "expected").read_bytes()
    assert (tmp_path / "out/docid").read_text() == "".join(f"{each}\n" for each in ids)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index", "docid", "meta.json"}


def test_faiss_finds_the_passages_that_retrieve_finds(tmp_path):
    write_queries_and_passages(tmp_path)
    lines = retrieve(tmp_path, passages=["passages.3"]).decode().splitlines()
    assert export(tmp_path / "out", tmp_path / "passages.3") == 0
    index, ids = opened(tmp_path / "out")
    queries = VectorStore([tmp_path / "queries"])
    scores, places = index.search(queries.read(0, len(queries)), DEPTH)
    best: dict[str, list[float]] = {}
    for line in lines:
        query_id, _, passage_id, _, score, _ = line.split()
        best.setdefault(query_id, []).append(float(score))
    expected = [best[query_id] for query_id in queries.ids]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    # Copies of a passage have equal scores. The best one of each query is compared by its vector.
    passages = VectorStore([tmp_path / "passages.3"])
    row_of = {passage_id: row for row, passage_id in enumerate(passages.ids)}
    for number, line in enumerate(lines[::DEPTH]):
        row = row_of[line.split()[2]]
        found = row_of[ids[places[number][0]]]
        assert (index.reconstruct(row) == index.reconstruct(found)).all()


@pytest.mark.parametrize("name", ["index", "docid"])
def test_a_folder_may_have_the_name_of_a_file_in_it(tmp_path, capsys, name):
    passages = write_vectors(tmp_path / "passages", ["p1"], np.ones((1, 4), np.float32))
    output = tmp_path / name
    assert export(output, passages) == 0
    assert {path.name for path in output.iterdir()} == {"index", "docid", "meta.json"}
    assert export(output, passages) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"{output}: up to date"


def test_a_finished_export_is_not_made_again(tmp_path, capsys):
    write_vectors(tmp_path / "passages", ["p"], np.ones((1, 4)), checkpoint="m")
    assert export(tmp_path / "out", tmp_path / "passages") == 0
    job = json.loads((tmp_path / "out/meta.json").read_text())["job"]
    assert job["flags"] == {"format": "faiss"} and job["inputs"].keys() == {"passage_vectors"}
    capsys.readouterr()
    assert export(tmp_path / "out", tmp_path / "passages") == 0
    assert capsys.readouterr().err == f"{tmp_path}/out: up to date\n"


def test_an_id_with_a_space_is_refused(tmp_path, capsys):
    write_vectors(tmp_path / "passages", ["p1", "p2 "], np.ones((2, 4)))
    assert export(tmp_path / "out", tmp_path / "passages") == 2
    assert "expected ids without spaces, got 'p2 '" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_vectors_of_queries_are_refused(tmp_path, capsys):
    write_vectors(tmp_path / "v", ["q"], np.ones((1, 4)), queries="q", checkpoint="m")
    assert export(tmp_path / "out", tmp_path / "v") == 2
    assert "expected vectors of a collection for --passage-vectors" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "faiss", "--checkpoint"], "faiss: expected --passage-vectors, got --ch"),
        (["--passage-vectors"], "--format paddle: expected --checkpoint, got --passage-vectors"),
    ],
)
def test_a_source_of_another_format_is_refused(tmp_path, capsys, words, message):
    assert rocketqa(["export", "--output", str(tmp_path / "out"), *words, str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"other", None])
def test_a_file_that_faiss_does_not_read_back_is_refused(tmp_path, content):
    store = VectorStore([write_vectors(tmp_path / "passages", ["p"], np.ones((1, 4)))])
    other = faiss.IndexFlatIP(4)
    other.add(np.zeros((1, 4), np.float32))
    faiss.write_index(other, str(tmp_path / "index"))
    if content is not None:
        (tmp_path / "index").write_bytes(content)
    with pytest.raises(DataError, match="expected a file that faiss .* reads back, got another"):
        check_flat_index(store, tmp_path / "index")


def test_an_index_that_faiss_does_not_read_back_is_not_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(faiss_files, "PLACE_OF_COUNT", 12)
    write_vectors(tmp_path / "passages", ["p"], np.ones((1, 4)))
    assert export(tmp_path / "out", tmp_path / "passages") == 2
    assert "install the version of faiss that setup.py names" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
