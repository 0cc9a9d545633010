"""Every fault of a folder is found in its line, by the readers that refuse it in other verbs."""

import os
from array import array
from pathlib import Path

import pytest
from broken_files import BROKEN
from data_folder import READERS, check_of, write_sound_folder

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.rows import Check
from rocketqa.files.validation import DataFolder, copies, split_of

CLASSES_OF_FAULTS = {
    "UTF-8",
    "byte order mark",
    "carriage returns",
    "columns",
    "NUL in ids",
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


def read(path: Path) -> tuple[DataFolder, list[Fault]]:
    """Returns a folder that was read, and all its faults."""
    faults: list[Fault] = []
    folder = DataFolder(path, faults.append)
    folder.read()
    return folder, faults


def faults_of(path: Path) -> list[Fault]:
    """Returns all faults of a folder."""
    return read(path)[1]


def messages_of(folder: Path) -> list[str]:
    """Returns the messages of all faults of a folder."""
    return [str(fault) for fault in faults_of(folder)]


def test_a_sound_folder_has_no_fault_and_its_rows_are_counted(tmp_path):
    folder, faults = read(write_sound_folder(tmp_path))
    assert not faults and not folder.skipped and not folder.missing_references()
    assert folder.row_counts == {
        "collection.tsv": 4,
        "queries.train.tsv": 2,
        "queries.dev.tsv": 2,
        "qrels.dev.tsv": 2,
        "qrels.train.tsv": 3,
        "answers.dev.tsv": 2,
        "dev.run": 3,
        "marco.run": 3,
        "released.run": 3,
        "examples.dual.tsv": 3,
        "examples.cross.tsv": 4,
    }


@pytest.mark.parametrize("file, content, kind, line, message", BROKEN)
def test_the_fault_of_a_broken_file_is_found_once_and_refused_by_its_reader(
    tmp_path, file, content, kind, line, message
):
    folder = write_sound_folder(tmp_path, **{file: content})
    expected = f"{folder / file}:{line}: expected {message}"
    (fault,) = faults_of(folder)
    assert str(fault) == expected and fault.kind == kind
    with pytest.raises(DataError) as error:
        READERS[file](folder / file, check_of(file))
    assert str(error.value) == expected


def test_there_are_at_least_sixty_broken_files_and_one_of_every_class():
    different = {(file, content) for file, content, *_ in BROKEN}
    assert len(BROKEN) >= 60 and len(different) == len(BROKEN)
    assert {kind for _, _, kind, _, _ in BROKEN} == CLASSES_OF_FAULTS


NOT_FILES = {
    "a folder": Path.mkdir,
    "a pipe, device or broken link": os.mkfifo,
    "a pipe, device or broken link ": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("got", NOT_FILES)
@pytest.mark.parametrize("file", ["dev.run", "collection.tsv", "qrels.train.tsv"])
def test_a_path_that_is_not_a_file_is_found_and_refused_without_waiting(tmp_path, file, got):
    folder = write_sound_folder(tmp_path, **{file: None})
    NOT_FILES[got](folder / file)
    expected = f"{folder / file}: expected a file, got {got.strip()}"
    first, *others = faults_of(folder)
    assert str(first) == expected and first.kind == "no file"
    assert "no file" not in [fault.kind for fault in others]
    with pytest.raises(DataError, match=expected):
        READERS[file](folder / file, Check())


def test_queries_of_other_splits_differ_from_the_training_queries_but_for_unlabelled_ones(
    tmp_path,
):
    folder = write_sound_folder(
        tmp_path,
        **{
            "queries.test.tsv": b"t1\tWHO  flew\n",
            "queries.unlabelled.tsv": b"u1\twho flew\nq1\tnew words\n",
        },
    )
    expected = "expected a query that is not for training"
    assert messages_of(folder) == [
        f"{folder}/queries.test.tsv:1: {expected}, got the text of 'q1', which is",
        f"{folder}/queries.unlabelled.tsv:2: {expected}, got the id 'q1' of one",
    ]


def test_a_file_of_all_queries_is_read_and_may_repeat_those_of_the_splits(tmp_path):
    queries = b"q1\tthe dog\nq1\tagain\nx\tmore\n"
    changed = {"queries.tsv": queries, "examples.dual.tsv": b"x\tp1\tp2\ny\tp1\tp2\n"}
    folder = write_sound_folder(tmp_path, **changed)
    assert messages_of(folder) == [
        f"{folder}/queries.tsv:2: expected each id once, got 'q1' again",
        f"{folder}/examples.dual.tsv:2: expected a query_id of the queries, got 'y'",
    ]


def test_a_file_of_a_split_without_queries_may_name_all_queries(tmp_path):
    folder = write_sound_folder(tmp_path, **{"truth.test.tsv": b"q1\tp1\nd1\tp3\nx\tp1\n"})
    expected = "expected a query_id of the queries, got 'x'"
    assert messages_of(folder) == [f"{folder}/truth.test.tsv:3: {expected}"]


def test_an_unreadable_row_hides_no_fault_of_the_next_and_causes_none(tmp_path):
    broken = b"p1\tx\np2\tt\t\xff\np3\tt\tx\ty\np4\t\t\n"
    faults = faults_of(write_sound_folder(tmp_path, **{"collection.tsv": broken}))
    kinds = [fault.kind for fault in faults]
    assert kinds == ["columns", "UTF-8", "stray tabs", "empty text"]


def test_the_same_text_under_several_ids_is_noted_and_no_fault(tmp_path):
    copies = b"p1\tt\tThe  dog\np2\tt\tthe dog\np3\t\tthe dog\np4\tT\tTHE DOG\n"
    queries = b"d1\tmany  words\nd2\tMany words\n"
    folder = write_sound_folder(tmp_path, **{"collection.tsv": copies, "queries.dev.tsv": queries})
    data, faults = read(folder)
    assert not faults
    assert data.notes == [
        f"{folder}/collection.tsv: same text: line 2 has that of line 1",
        f"{folder}/collection.tsv: same text: line 4 has that of line 1",
        f"{folder}/collection.tsv: same text: 2 passages have that of earlier ones, "
        "which is no fault",
        f"{folder}/queries.dev.tsv: same text: d2 has that of d1",
        f"{folder}/queries.dev.tsv: same text: 1 queries have that of earlier ones, "
        "which is no fault",
    ]


def test_lines_that_are_no_rows_are_faults_and_no_copies(tmp_path):
    commas = b"id,title,text\n1,A,one\n2,B,two\n"
    queries = b"d1\t\nd2\t\n"
    folder = write_sound_folder(tmp_path, **{"collection.tsv": commas, "queries.dev.tsv": queries})
    data, faults = read(folder)
    assert [fault.kind for fault in faults[:3]] == ["columns"] * 3
    assert not data.notes


def test_copies_are_found_by_their_hashes():
    assert copies(array("q", [7, 5, 7, 5, 5, 9])) == [(2, 0), (3, 1), (4, 1)]
    assert copies(array("q", [3, 4])) == [] == copies(array("q"))


def test_the_split_is_the_second_part_of_a_file_name():
    assert split_of(Path("data/queries.train.tsv")) == "train"
    assert split_of(Path("qrels.train.addition.tsv")) == "train"
