"""Files are read as documented, and a bad line is refused with its place."""

from pathlib import Path

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.formats import (
    Answers,
    Passage,
    Qrel,
    Query,
    iterate_qrels_at_tabs,
    line_of,
    read_answers,
    read_collection,
    read_measures,
    read_positives,
    read_qrels,
    read_queries,
    write_lines,
)
from rocketqa.files.rows import LINE_ENDS, Check


@pytest.mark.parametrize(
    "reader, content, message",
    [
        (read_collection, b"p1\tt\ttext\np2\ttext\n", ":2: expected 3 columns, got 2"),
        (
            read_collection,
            b"p1\tt\ttext\np1\tt\ttext\n",
            ":2: expected each id once, got 'p1' again",
        ),
        (read_collection, b"p1\tt\t \n", ":1: expected a text, got an empty one"),
        (
            read_collection,
            b"p 1\tt\ttext\n",
            ":1: expected a passage_id without spaces, got 'p 1'",
        ),
        (
            read_collection,
            b"p1\tt\ttext\r\n",
            f":1: expected {LINE_ENDS}, got a carriage return",
        ),
        (read_collection, b"p1\tt\t\xff\n", ":1: expected UTF-8, got byte 0xff at 5"),
        (
            read_collection,
            b"\xef\xbb\xbfp1\tt\ttext\n",
            ":1: expected text, got a byte order mark",
        ),
        (read_queries, b"q1\ta\tb\n", ":1: expected 2 columns, got 3"),
        (
            read_answers,
            b"q1\tx\t \xe2\x80\x8b\n",
            ":1: expected an answer with a visible character, got ' \\u200b'",
        ),
        (read_positives, b"q1\t0\tp1\t1\nq1\tp2\n", ":2: expected 4 columns, got 2"),
        (read_positives, b"q1\t0\tp1\tyes\n", ":1: expected relevance as int, got 'yes'"),
        (read_measures, b"MRR@10\tnan\n", ":1: expected a finite MRR@10, got 'nan'"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path, reader, content, message):
    path = tmp_path / "file.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        reader(path)
    assert str(error.value) == f"{path}{message}"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a file, got nothing there"):
        read_collection(tmp_path / "none.tsv")


def test_both_forms_of_qrels_give_the_relevant_passages(tmp_path: Path):
    trec = tmp_path / "trec.tsv"
    trec.write_text("q1\t0\tp1\t1\nq1\t0\tp2\t0\nq2\t0\tp3\t2\n")
    released = tmp_path / "released.tsv"
    released.write_text("q1\tp1\nq2\tp3\n")
    expected = {"q1": ["p1"], "q2": ["p3"]}
    assert read_positives(trec) == read_positives(released) == expected


@pytest.mark.parametrize(
    "content",
    [
        "q1 0 d1 1\nq1 0 d2 0\nq2 0 d3 2\n",  # TREC
        "q1\t0\td1\t1\nq1  0 d2\t0\n q2 0   d3 2 \n",
        "q1 Q0\td1 1\nq1 Q0\td2 0\nq2 Q0\td3 2\n",
        "query-id\tcorpus-id\tscore\r\nq1\td1\t1\r\nq1\td2\t0\r\nq2\td3\t2\r\n",  # BEIR
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq2\td3\t2\n",
        "query-id corpus-id score\nq1 d1 1\nq1 d2 0\nq2 d3 2\n",
    ],
)
def test_labels_are_read_as_trec_and_beir_write_them(tmp_path, content):
    path = tmp_path / "qrels.tsv"
    path.write_bytes(content.encode())
    assert read_qrels(path) == [Qrel("q1", "d1", 1), Qrel("q1", "d2", 0), Qrel("q2", "d3", 2)]


@pytest.mark.parametrize(
    "rows, message",
    [
        ("q1\td1\r\n", ":2: expected 3 columns, got 2"),
        ("q1\td 1\t1\r\n", ":2: expected a passage_id without spaces, got 'd 1'"),
        ("q1\td\r1\t1\r\n", ":2: expected a passage_id without spaces, got 'd\\r1'"),
        ("q1\td1\thigh\r\n", ":2: expected relevance as int, got 'high'"),
        ("q1\td1\t1\r\nq1\td1\t1\r\n", ":3: expected each id once, got ('q1', 'd1') again"),
    ],
)
def test_a_bad_line_below_the_header_of_beir_is_refused(tmp_path, rows, message):
    path = tmp_path / "qrels.tsv"
    path.write_bytes(b"query-id\tcorpus-id\tscore\r\n" + rows.encode())
    with pytest.raises(DataError) as refused:
        read_qrels(path)
    assert str(refused.value) == f"{path}{message}"


def test_official_labels_have_tabs_alone_and_no_header(tmp_path):
    path = tmp_path / "qrels.tsv"
    path.write_text("q1\t0\tp1\t1\n")
    assert [qrel for _, qrel in iterate_qrels_at_tabs(path, Check())] == [Qrel("q1", "p1", 1)]
    for content in ("q1 0 p1 1\n", "query-id\tcorpus-id\tscore\nq1\tp1\t1\n"):
        path.write_text(content)
        with pytest.raises(DataError, match=":1: expected 4 or 2 columns, got "):
            list(iterate_qrels_at_tabs(path, Check()))


def test_an_unreadable_relevance_is_0_after_its_fault(tmp_path: Path):
    path = tmp_path / "qrels.tsv"
    path.write_text("q1\t0\tp1\tyes\nq1\t0\tp2\t1\n")
    faults: list[DataError] = []
    qrels = read_qrels(path, Check(faults.append))
    assert qrels == [Qrel("q1", "p1", 0), Qrel("q1", "p2", 1)]
    assert len(faults) == 1
    assert read_positives(path, check=Check(faults.append)) == {"q1": ["p2"]}


def test_ids_are_unique_over_all_files_of_queries(tmp_path: Path):
    train = tmp_path / "queries.train.tsv"
    train.write_text("q1\twho flew\n")
    dev = tmp_path / "queries.dev.tsv"
    dev.write_text("d1\twhen\nq1\twhere\n")
    with pytest.raises(DataError, match="dev.tsv:2: expected each id once, got 'q1' again"):
        read_queries(train, dev)


@pytest.mark.parametrize(
    "record",
    [
        Passage("p1", "a\ttitle", "text"),
        Query("q1", "two\nlines"),
        Query("q1", "a\rreturn"),
        Answers("q1", ("a\tb",)),
    ],
)
def test_a_field_that_would_become_other_columns_is_not_written(record):
    with pytest.raises(DataError, match="expected fields without tabs and ends of lines"):
        line_of(record)


def test_lines_are_written_in_utf_8_with_lf_and_counted(tmp_path: Path):
    path = tmp_path / "a.tsv"
    lines = [line_of(Qrel("q1", "p1", 1)), line_of(Answers("q1", ("caf\u00e9", "moon")))]
    assert write_lines(path, lines) == 2
    assert path.read_bytes() == b"q1\t0\tp1\t1\nq1\tcaf\xc3\xa9\tmoon\n"


def test_measures_are_read_by_their_names(tmp_path: Path):
    path = tmp_path / "dev.measures.tsv"
    path.write_text("MRR@10\t0.5\nqueries_judged\t2\n")
    assert read_measures(path) == {"MRR@10": 0.5, "queries_judged": 2.0}
