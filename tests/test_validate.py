"""`rocketqa validate` prints every fault in a line, then the count of each class; exit status 2."""

import os
from pathlib import Path

import pytest
from broken_files import BROKEN
from data_folder import write_sound_folder

from rocketqa.cli.__main__ import main
from rocketqa.files.rows import LINE_ENDS
from rocketqa.jobs.digests import sealed_text


def test_a_sound_folder_passes_with_its_row_counts(tmp_path, capsys):
    assert main(["validate", str(write_sound_folder(tmp_path))]) == 0
    assert capsys.readouterr().out == (
        "collection.tsv 4 rows, queries.train.tsv 2 rows, queries.dev.tsv 2 rows, "
        "qrels.dev.tsv 2 rows, qrels.train.tsv 3 rows, answers.dev.tsv 2 rows, dev.run 3 rows, "
        "marco.run 3 rows, released.run 3 rows, examples.dual.tsv 3 rows, "
        "examples.cross.tsv 4 rows\n"
    )


@pytest.mark.parametrize("file, content, kind, line, message", BROKEN)
def test_a_broken_file_is_named_once_and_counted(
    tmp_path, capsys, file, content, kind, line, message
):
    folder = write_sound_folder(tmp_path, **{file: content})
    assert main(["validate", str(folder)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{folder / file}:{line}: expected {message}",
        f"{kind}\t1",
    ]


def test_a_file_with_other_bytes_than_its_manifest_lists_is_named(tmp_path, capsys):
    folder = write_sound_folder(tmp_path)
    (folder / "dev.run.meta.json").write_text(sealed_text({"outputs": {"dev.run": "0" * 64}}))
    assert main(["validate", str(folder)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/dev.run: expected the bytes that dev.run.meta.json lists, got others: make it "
        "again, or remove dev.run.meta.json if the change is meant",
        "damaged files\t1",
    ]


RUN_WITH_FAULTS = b"d1\tQ0\tp9\t0\tnan\tx\nd8\tQ0\tp1\t1\t1\tx\r\nd1\tQ0\tp9\t2\t1\tx"
QUERIES_WITH_FAULTS = b"q1\t\nq2\tb\tc\nq1\td\n"


def test_every_fault_of_every_line_is_named_and_counted(tmp_path, capsys):
    changed = {"dev.run": RUN_WITH_FAULTS, "queries.train.tsv": QUERIES_WITH_FAULTS}
    folder = write_sound_folder(tmp_path, **changed)
    assert main(["validate", str(folder)]) == 2
    train, run = folder / "queries.train.tsv", folder / "dev.run"
    assert capsys.readouterr().out.splitlines() == [
        f"{train}:1: expected a text, got an empty one",
        f"{train}:2: expected 2 columns, got 3",
        f"{train}:3: expected each id once, got 'q1' again",
        f"{run}:1: expected a passage_id of the collection, got 'p9'",
        f"{run}:1: expected a finite score, got 'nan'",
        f"{run}:2: expected {LINE_ENDS}, got a carriage return",
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


def test_a_path_that_is_not_a_file_is_named_first_and_counted(tmp_path, capsys):
    folder = write_sound_folder(tmp_path, **{"dev.run": None})
    (folder / "dev.run").mkdir()
    assert main(["validate", str(folder)]) == 2
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{folder}/dev.run: expected a file, got a folder", "no file\t1"]


def test_a_file_that_may_not_be_read_is_named_and_refused(tmp_path, capsys, monkeypatch):
    folder = write_sound_folder(tmp_path)

    def is_readable(path: Path, mode: int) -> bool:
        return path.name != "dev.run"

    monkeypatch.setattr(os, "access", is_readable)  # root may read whatever chmod says
    assert main(["validate", str(folder)]) == 2
    expected = "dev.run: expected a file, got one without the permission to read it"
    assert expected in capsys.readouterr().out


def test_unknown_file_names_are_skipped_with_a_line_and_manifests_without(tmp_path, capsys):
    others = {"notes.txt": b"\xff", "dev.run.meta.json": b"{}", "meta.json": b"{}"}
    folder = write_sound_folder(tmp_path, **others)
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().err == f"{folder}/notes.txt: skipped: unknown file name\n"


def test_a_run_whose_ranks_contradict_its_scores_is_named_but_no_fault(tmp_path, capsys):
    lines = b"d1\tQ0\tp3\t1\t2.5\tx\nd1\tQ0\tp1\t2\t3.5\tx\n"
    folder = write_sound_folder(tmp_path, **{"dev.run": lines})
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().err == (
        f"{folder}/dev.run:2: the ranks contradict the scores: rank 2 of query d1 has the score "
        "3.5, rank 1 the score 2.5\n"
    )


def test_files_of_ms_marco_are_read_or_named(tmp_path, capsys):
    files = {
        "qidpidtriples.train.tsv": b"q1\tp1\tp2\nq2\tp2\tp1\nq1\tp1\tp9\n",
        "top1000.dev.tsv": b"d1\tp1\twhat is a dog\tthe dog is an animal\n",
    }
    folder = write_sound_folder(tmp_path, **files)
    assert main(["validate", str(folder)]) == 2
    printed = capsys.readouterr()
    triples = folder / "qidpidtriples.train.tsv"
    expected = f"{triples}:3: expected a passage_id of the collection, got 'p9'"
    assert printed.out.splitlines() == [expected, "unknown ids\t1"]
    assert f"{folder}/top1000.dev.tsv: skipped: MS MARCO's top1000 (query_id," in printed.err


def test_copies_are_named_on_standard_error_and_pass(tmp_path, capsys):
    folder = write_sound_folder(
        tmp_path, **{"queries.dev.tsv": b"d1\tmany words\nd2\tMany words\n"}
    )
    assert main(["validate", str(folder)]) == 0
    assert "queries.dev.tsv: same text: d2 has that of d1\n" in capsys.readouterr().err


def test_a_line_says_which_ids_cannot_be_checked(tmp_path, capsys):
    left_out = dict.fromkeys(["collection.tsv", "queries.train.tsv", "queries.dev.tsv"])
    folder = write_sound_folder(tmp_path, **left_out)
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{folder}/collection.tsv: not there, so passage ids are not checked against it",
        f"{folder}/queries.SPLIT.tsv: not there, so query ids are not checked against it",
    ]


@pytest.mark.parametrize(
    ("name", "ids"), [("collection.tsv", "passage ids"), ("queries.train.tsv", "query ids")]
)
def test_ids_of_a_file_that_cannot_be_read_are_not_called_unknown(tmp_path, capsys, name, ids):
    folder = write_sound_folder(tmp_path)
    path = folder / name
    path.write_bytes(path.read_text().encode("utf-16"))
    assert main(["validate", str(folder)]) == 2
    printed = capsys.readouterr()
    cure = "expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it), got UTF-16"
    assert printed.out.splitlines() == [f"{path}: {cure}", "UTF-8\t1"]
    assert f"not readable, so {ids} are not checked against it" in printed.err


def test_a_missing_folder_is_refused(tmp_path, capsys):
    assert main(["validate", str(tmp_path / "data")]) == 2
    assert "expected a folder, got none" in capsys.readouterr().err


def test_a_folder_without_a_known_file_is_refused(tmp_path, capsys):
    assert main(["validate", str(tmp_path)]) == 2
    assert "expected collection.tsv" in capsys.readouterr().err
