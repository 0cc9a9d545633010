"""`rocketqa validate` names every fault in its line, and the verbs' readers refuse what it names."""

import os

import pytest
from broken_files import BROKEN, SOUND

from rocketqa.cli.__main__ import main
from rocketqa.files import formats
from rocketqa.files.errors import DataError
from rocketqa.files.rows import Check, same_text
from rocketqa.files.runs import RunFile
from rocketqa.files.validation import Folder

READERS = {
    "collection.tsv": lambda path, check: list(formats.iterate_collection(path, check)),
    "queries.dev.tsv": lambda path, check: formats.read_queries(path, check=check),
    "qrels.train.tsv": formats.read_qrels,
    "answers.dev.tsv": formats.read_answers,
    "dev.run": RunFile,
    "marco.run": RunFile,
    "released.run": RunFile,
    "examples.dual.tsv": lambda path, check: formats.read_examples(path, check=check),
    "examples.cross.tsv": lambda path, check: formats.read_pairs(path, check=check),
}
QUERY_IDS = {
    "qrels.train.tsv": {"q1", "q2"},
    "answers.dev.tsv": {"d1", "d2"},
}  # what a split's own queries are
TRAINING = {"q1": "who flew", "q2": "what came before"}


def written(tmp_path, **changed: bytes):
    """Writes the sound folder with some of its files changed (None: left out)."""
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    for name, content in (SOUND | changed).items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def known_to(file: str) -> Check:
    """What the sound folder lets a file name: the verbs' readers, which raise the first fault, know it too."""
    if file == "queries.dev.tsv":
        return Check(
            training={same_text(text): query_id for query_id, text in TRAINING.items()},
            training_ids=TRAINING,
        )
    if file == "collection.tsv":
        return Check()
    return Check(
        query_ids=QUERY_IDS.get(file, {"q1", "q2", "d1", "d2"}),
        passage_ids={"p1", "p2", "p3", "p4"},
        positives={"q1": {"p1"}, "q2": {"p2"}} if file.startswith("examples") else {},
    )


def test_a_sound_folder_passes_with_its_row_counts(tmp_path, capsys):
    assert main(["validate", str(written(tmp_path))]) == 0
    assert capsys.readouterr().out == (
        "collection.tsv 4 rows, queries.train.tsv 2 rows, queries.dev.tsv 2 rows, qrels.dev.tsv 2 rows, "
        "qrels.train.tsv 3 rows, answers.dev.tsv 2 rows, dev.run 3 rows, marco.run 3 rows, released.run 3 rows, "
        "examples.dual.tsv 3 rows, examples.cross.tsv 4 rows\n"
    )


@pytest.mark.parametrize("file, content, kind, line, message", BROKEN)
def test_a_broken_file_is_named_once_by_validate_and_refused_by_its_reader(
    tmp_path, capsys, file, content, kind, line, message
):
    folder = written(tmp_path, **{file: content})
    expected = f"{folder / file}:{line}: expected {message}"
    assert main(["validate", str(folder)]) == 2
    assert capsys.readouterr().out.splitlines() == [expected, f"{kind}\t1"]
    with pytest.raises(DataError) as error:
        READERS[file](folder / file, known_to(file))
    assert str(error.value) == expected


def test_there_are_at_least_sixty_broken_files_and_one_of_every_class():
    assert len(BROKEN) >= 60 and len({case[:2] for case in BROKEN}) == len(BROKEN)
    assert {kind for _, _, kind, _, _ in BROKEN} == {
        "UTF-8",
        "byte order mark",
        "carriage returns",
        "columns",
        "duplicate ids",
        "empty file",
        "empty ids",
        "empty text",
        "final newline",
        "labels",
        "mixed forms",
        "non-finite scores",
        "numbers",
        "positive and negative",
        "ranks",
        "spaces in ids",
        "stray tabs",
        "training queries",
        "unknown ids",
    }


def test_every_fault_of_every_line_is_named_and_counted(tmp_path, capsys):
    folder = written(
        tmp_path,
        **{
            "dev.run": b"d1\tQ0\tp9\t0\tnan\tx\nd8\tQ0\tp1\t1\t1\tx\r\nd1\tQ0\tp9\t2\t1\tx",
            "queries.train.tsv": b"q1\t\nq2\tb\tc\nq1\td\n",
        },
    )
    assert main(["validate", str(folder)]) == 2
    train, run = folder / "queries.train.tsv", folder / "dev.run"
    assert capsys.readouterr().out.splitlines() == [
        f"{train}:1: expected a text, got an empty one",
        f"{train}:2: expected 2 columns, got 3",
        f"{train}:3: expected each id once, got 'q1' again",
        f"{run}:1: expected a passage_id of the collection, got 'p9'",
        f"{run}:1: expected a finite score, got 'nan'",
        f"{run}:2: expected lines that end in LF, got a carriage return",
        f"{run}:2: expected a query_id of the queries, got 'd8'",
        f"{run}:3: expected a newline at the end of the file, got none",
        f"{run}:3: expected a passage_id of the collection, got 'p9'",
        f"{run}:1: expected ranks 1, 2, ... for query d1, got 0",
        f"{run}:3: expected each id once, got ('d1', 'p9') again",
        f"{run}:3: expected rank 1 of query d1 next, got 2",
        "carriage returns\t1",
        "duplicate ids\t2",
        "empty text\t1",
        "final newline\t1",
        "non-finite scores\t1",
        "ranks\t2",
        "stray tabs\t1",
        "unknown ids\t3",
    ]


NO_FILE = {
    "a folder": lambda path: path.mkdir(),
    "a pipe, device or broken link": os.mkfifo,
    "a pipe, device or broken link ": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("got", NO_FILE)
@pytest.mark.parametrize("file", ["dev.run", "collection.tsv", "qrels.train.tsv"])
def test_what_is_no_file_is_named_and_refused_and_never_waited_for(tmp_path, capsys, file, got):
    folder = written(tmp_path, **{file: None})
    NO_FILE[got](folder / file)
    expected = f"{folder / file}: expected a file, got {got.strip()}"
    assert main(["validate", str(folder)]) == 2
    said = capsys.readouterr().out.splitlines()
    assert said[0] == expected and said[-1] == "no file\t1"
    with pytest.raises(DataError, match=expected):
        READERS[file](folder / file, Check())


def test_a_file_that_may_not_be_read_is_named_and_refused(tmp_path, capsys, monkeypatch):
    folder = written(tmp_path)
    monkeypatch.setattr(
        os, "access", lambda path, mode: path.name != "dev.run"
    )  # chmod keeps nothing from root
    assert main(["validate", str(folder)]) == 2
    assert (
        "dev.run: expected a file, got one without the permission to read it"
        in capsys.readouterr().out
    )


def test_names_that_say_nothing_are_skipped_loudly_and_manifests_are_not_files_of_ours(
    tmp_path, capsys
):
    folder = written(tmp_path, **{"notes.txt": b"\xff", "dev.run.meta.json": b"{}"})
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().err == (
        f"{folder}/notes.txt: skipped, its name says of none of our files that it is one\n"
    )


def test_what_cannot_be_checked_is_said(tmp_path, capsys):
    folder = written(
        tmp_path, **{"collection.tsv": None, "queries.train.tsv": None, "queries.dev.tsv": None}
    )
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{folder}/collection.tsv: not there, so passage ids are not checked against it",
        f"{folder}/queries.SPLIT.tsv: not there, so query ids are not checked against it",
    ]


@pytest.mark.parametrize(
    "make, message", [(False, "expected a folder, got none"), (True, "expected collection.tsv")]
)
def test_a_folder_without_our_files_is_refused(tmp_path, capsys, make, message):
    folder = tmp_path / "data"
    if make:
        folder.mkdir()
    assert main(["validate", str(folder)]) == 2
    assert message in capsys.readouterr().err


def test_an_unreadable_row_hides_no_fault_of_the_next_and_makes_none(tmp_path):
    faults = []
    broken = b"p1\tx\np2\tt\t\xff\np3\tt\tx\ty\np4\t\t\n"
    Folder(written(tmp_path, **{"collection.tsv": broken}), faults.append).read()
    assert [fault.kind for fault in faults] == ["columns", "UTF-8", "stray tabs", "empty text"]
