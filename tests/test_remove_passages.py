"""`rocketqa remove-passages`: an encoding that grew is searched as a full one of its passages.

Letters in the ids: p, the first encoding; a, added later.
"""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from vectors_fixture import DEPTH, QUERY_COUNT, retrieve, write_encoding, write_vectors

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.search.vectors import VectorStore

SIZE = 24  # of a vector
Vectors = dict[str, np.ndarray]


def vectors_of(ids: list[str], seed: int) -> Vectors:
    """Returns a vector for each id; many are equal."""
    chance = np.random.default_rng(seed)
    different = chance.standard_normal((100, SIZE)).astype(np.float32)
    rows = chance.integers(0, 100, len(ids))
    return dict(zip(ids, different[rows]))


def write(folder: Path, vectors: Vectors, shards: int = 1) -> None:
    """Writes the encoding of a collection of its own."""
    write_encoding(folder, list(vectors), list(vectors.values()), folder.name, shards)


def remove(folder: Path, ids: list[str], vectors: list[str], output: str) -> int:
    """Removes passages from folders of vectors and returns the status of the verb."""
    write_lines(folder / f"{output}.txt", ids)
    words = ["remove-passages", "--ids", folder / f"{output}.txt", "--output", folder / output]
    words += ["--passage-vectors", *(folder / name for name in vectors)]
    return main([str(word) for word in words])


class Grown:
    """A folder with an encoding of 600 passages that has grown twice, and the vectors it has now.

    folders: of the encodings and the lists of removed passages, in the order of their making.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.now = vectors_of([f"p{number}" for number in range(600)], seed=1)
        write(folder / "first", self.now, shards=3)
        self.folders = ["first"]
        self.update(1, gone=["p0", "p17", "p199", "p200", "p599"], changed=["p3", "p4"], added=50)
        self.update(2, gone=["a1-0", "p4"], changed=["p3", "a1-7", "p5"], added=20)

    def update(self, number: int, gone: list[str], changed: list[str], added: int) -> None:
        """Removes passages and encodes others, some of them under the ids of removed ones."""
        assert remove(self.folder, gone + changed, self.folders, f"removed-{number}") == 0
        new_ids = changed + [f"a{number}-{row}" for row in range(added)]
        new = vectors_of(new_ids, seed=number + 1)
        write(self.folder / f"added-{number}", new)
        for passage_id in gone:
            del self.now[passage_id]
        self.now |= new
        self.folders += [f"removed-{number}", f"added-{number}"]


@pytest.fixture
def grown(tmp_path) -> Grown:
    """An encoding that has grown, with queries beside it, and a full encoding of what it is now."""
    queries = np.random.default_rng(9).standard_normal((QUERY_COUNT, SIZE))
    write_vectors(tmp_path / "queries", [f"q{row}" for row in range(QUERY_COUNT)], queries)
    grown = Grown(tmp_path)
    shuffled = list(grown.now.items())
    random.Random(3).shuffle(shuffled)
    write(tmp_path / "full", dict(shuffled), shards=2)
    return grown


def test_a_run_is_that_of_a_full_encoding_to_the_byte(grown):
    expected = retrieve(grown.folder, passages=["full"])
    assert retrieve(grown.folder, passages=grown.folders) == expected
    assert retrieve(grown.folder, "--max-memory", "5KB", passages=grown.folders) == expected
    assert retrieve(grown.folder, passages=grown.folders[::-1]) == expected
    assert retrieve(grown.folder, passages=["first"]) != expected


def test_any_rows_of_the_vectors_are_read_as_from_a_full_encoding(grown):
    store = VectorStore([grown.folder / name for name in grown.folders])
    assert set(store.ids) == grown.now.keys() and len(store) == len(grown.now)
    expected = np.array([grown.now[passage_id] for passage_id in store.ids])
    for begin, end in [(0, 0), (0, 1), (0, len(store)), (1, 300), (195, 200), (590, len(store))]:
        assert np.array_equal(store.read(begin, end), expected[begin:end])


def test_an_index_of_faiss_has_the_passages_of_now(grown):
    run = retrieve(grown.folder, "--index", "Flat", passages=grown.folders)
    assert len(run.splitlines()) == QUERY_COUNT * DEPTH
    assert json.loads((grown.folder / "a.run.meta.json").read_text())["overlap"] > 0.9
    found = {line.split()[2].decode() for line in run.splitlines()}
    assert found <= grown.now.keys()
    words = ["export", "--format", "faiss", "--output", grown.folder / "exported"]
    words += ["--passage-vectors", *(grown.folder / name for name in grown.folders)]
    assert main([str(word) for word in words]) == 0
    ids = (grown.folder / "exported" / "docid").read_text().split()
    assert sorted(ids) == sorted(grown.now)


def test_the_manifests_of_list_and_run_have_the_digests(grown, capsys):
    manifest = json.loads((grown.folder / "removed-1" / "meta.json").read_text())
    assert manifest["rows"] == 7
    assert manifest["job"]["inputs"].keys() == {"ids", "passage_vectors"}
    retrieve(grown.folder, passages=grown.folders)
    run = json.loads((grown.folder / "a.run.meta.json").read_text())
    assert len(run["job"]["inputs"]["passage_vectors"]) == len(grown.folders)
    path = grown.folder / "removed-1" / "removed.ids"
    path.write_text(path.read_text().replace("p17\n", "p18\n"))
    assert retrieve(grown.folder, passages=grown.folders) == 2
    assert f"{path}: expected the bytes that meta.json lists" in capsys.readouterr().err


@pytest.mark.parametrize(
    "ids, message",
    [
        (["p1", "p9999"], ":2: expected a passage_id of the vectors, got 'p9999'"),
        (["p1", "p1"], ":2: expected each id once, got 'p1' again"),
        (["p1", "p 2"], ":2: expected a passage_id without spaces, got 'p 2'"),
        (["p1", "p0"], ":2: expected a passage_id of the vectors, got 'p0'"),  # removed before
        (["p1\tx"], ":1: expected 1 columns, got 2"),
        ([], ":1: expected a line, got an empty file"),
    ],
)
def test_ids_that_cannot_be_removed_are_one_line_and_nothing_is_left(grown, capsys, ids, message):
    assert remove(grown.folder, ids, grown.folders, "removed-3") == 2
    line = f"rocketqa remove-passages: {grown.folder}/removed-3.txt{message}\n"
    assert capsys.readouterr().err == line
    assert not list(grown.folder.glob("removed-3*/"))


def test_one_passage_has_to_be_left(tmp_path, capsys):
    write(tmp_path / "first", vectors_of(["p0", "p1"], seed=1))
    assert remove(tmp_path, ["p1", "p0"], ["first"], "removed") == 2
    assert "expected ids of some passages, got those of all 2\n" in capsys.readouterr().err


def test_a_list_needs_the_folders_that_it_was_made_with(grown, capsys):
    folders = ["first", "removed-1", "removed-2"]
    assert retrieve(grown.folder, passages=folders) == 2
    assert capsys.readouterr().err == (
        f"rocketqa retrieve: {grown.folder}/removed-2: expected the folder "
        f"{grown.folder}/added-1, which it was made with, beside it in --passage-vectors, "
        "got none with its bytes\n"
    )
    assert retrieve(grown.folder, passages=["removed-1"]) == 2
    expected = "removed-1: expected vectors, got the output of `remove-passages`\n"
    assert expected in capsys.readouterr().err


def test_a_passage_in_two_encodings_is_refused_with_the_cure(grown, capsys):
    cure = "(of a passage that has changed, `rocketqa remove-passages` removes the old)"
    assert retrieve(grown.folder, passages=["first", "added-1"]) == 2
    line = f"{grown.folder}/added-1: expected each passage once, got 'p3' again {cure}\n"
    assert capsys.readouterr().err.endswith(line)
    words = ["export", "--format", "faiss", "--output", grown.folder / "exported"]
    words += ["--passage-vectors", grown.folder / "first", grown.folder / "added-1"]
    assert main([str(word) for word in words]) == 2
    assert capsys.readouterr().err.endswith(line)
    assert not list(grown.folder.glob("exported*"))


def test_vectors_of_queries_lose_no_passages(tmp_path, capsys):
    job = {"queries": "q", "checkpoint": "m"}
    write_vectors(tmp_path / "queries", ["q1", "q2"], np.eye(2), **job)
    assert remove(tmp_path, ["q1"], ["queries"], "removed") == 2
    assert "expected vectors of a collection for --passage-vectors" in capsys.readouterr().err


def test_passages_are_removed_from_vectors_of_another_program_too(grown):
    vectors = vectors_of([f"p{row}" for row in range(90)], seed=1)
    write_vectors(grown.folder / "other", list(vectors), list(vectors.values()))
    assert remove(grown.folder, ["p7"], ["other"], "removed-other") == 0
    del vectors["p7"]
    write_vectors(grown.folder / "rest", list(vectors), list(vectors.values()))
    run = retrieve(grown.folder, passages=["other", "removed-other"])
    assert run == retrieve(grown.folder, passages=["rest"])


def test_a_list_of_the_same_ids_is_up_to_date(tmp_path, capsys):
    write(tmp_path / "first", vectors_of(["p0", "p1"], seed=1))
    assert remove(tmp_path, ["p1"], ["first"], "removed") == 0
    assert capsys.readouterr().out == f"{tmp_path}/removed: removes 1 of 2 passages\n"
    assert remove(tmp_path, ["p1"], ["first"], "removed") == 0
    assert capsys.readouterr().err == f"{tmp_path}/removed: up to date\n"
