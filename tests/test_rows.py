"""A line is split into columns, each value is checked, and a malformed row reports one fault."""

import gzip
import math
import os

import pytest

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.rows import (
    IGNORE_FAULTS,
    RAISE_FAULTS,
    Check,
    Row,
    file_fault,
    is_valid_id,
    normalize_text,
    parse_integer,
    parse_number,
    parse_rows,
    read_rows,
    require_file,
)


class Reported(list[Fault]):
    """A fault handler that keeps the faults."""

    def check(self, **compared: object) -> Check:
        """Returns a Check with this fault handler."""
        return Check(self.append, **compared)

    def messages(self) -> list[str]:
        """Returns the messages of the faults without the name of the file."""
        return [str(fault).removeprefix("a.tsv:") for fault in self]


@pytest.fixture
def reported() -> Reported:
    """A list of the faults that a reader reports."""
    return Reported()


@pytest.mark.parametrize(
    "text, number",
    [
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("07", None),
        ("+7", None),
        ("-0", None),
        ("1_0", None),
        ("1.0", None),
        (" 7", None),
        ("\uff17", None),
        ("", None),
    ],
)
def test_an_integer_is_read_in_its_plain_form_only(text, number):
    assert parse_integer(text) == number


@pytest.mark.parametrize(
    "text, number",
    [
        ("0.5", 0.5),
        ("-2", -2.0),
        ("1e-3", 0.001),
        ("1e999", math.inf),
        ("0x10", None),
        ("1_0", None),
        (" 1", None),
        ("\uff11", None),
        ("high", None),
        ("", None),
    ],
)
def test_a_number_is_read_in_ascii_without_spaces_and_underscores(text, number):
    assert parse_number(text) == number


def test_nan_is_a_number_that_is_not_finite(reported):
    assert math.isnan(parse_number("nan"))
    row = Row("a.tsv", 1, reported.check())
    assert math.isnan(row.checked_number("nan", "score"))
    assert reported.messages() == ["1: expected a finite score, got 'nan'"]


def test_an_unreadable_value_becomes_0_or_nan_after_its_fault(reported):
    row = Row("a.tsv", 3, reported.check())
    assert row.checked_integer("x", "rank") == 0
    assert math.isnan(row.checked_number("x", "score"))
    assert reported.messages() == [
        "3: expected rank as int, got 'x'",
        "3: expected score as float, got 'x'",
    ]


def test_ids_are_compared_with_the_known_ones_where_there_are_any(reported):
    row = Row("a.tsv", 1, reported.check(query_ids={"q1"}))
    assert row.checked_query_id("q1") == "q1"
    assert row.checked_query_id("q2") == "q2"
    assert row.checked_passage_id("p9") == "p9"
    assert row.checked_passage_id("") == ""
    assert reported.messages() == [
        "1: expected a query_id of the queries, got 'q2'",
        "1: expected a passage_id without spaces, got ''",
    ]


def test_a_key_is_unique_until_it_comes_again(reported):
    seen: set[str] = set()
    row = Row("a.tsv", 1, reported.check())
    row.check_unique("a", seen)
    row.check_unique("b", seen)
    assert not reported
    row.check_unique("a", seen)
    assert reported.messages() == ["1: expected each id once, got 'a' again"]


@pytest.mark.parametrize("value", ["", " ", "a b", "a\u00a0b", " a", "a\u2028"])
def test_an_id_is_not_empty_and_has_no_spaces(value):
    assert not is_valid_id(value)
    assert is_valid_id("a") and is_valid_id("\u00e9-1")


def test_texts_that_differ_in_case_and_spaces_are_normalized_alike():
    assert normalize_text("  Who \u00a0FLEW\tfirst ") == "who flew first"
    assert normalize_text(" \u2028") == ""


def test_rows_have_their_columns_their_line_numbers_and_their_ends_in_bytes():
    rows = list(parse_rows([b"a\tb\n", "\u00e9\t\n".encode()], "a.tsv", (2,), first_number=5))
    assert [row.columns for row in rows] == [["a", "b"], ["\u00e9", ""]]
    assert [row.place for row in rows] == ["a.tsv:5", "a.tsv:6"]
    assert [row.end for row in rows] == [4, 8]
    assert not any(row.malformed for row in rows)


def test_the_first_row_decides_how_many_columns_all_have(reported):
    lines = [b"a\tb\n", b"a\tb\tc\td\n", b"a\n", b"a\tb\tc\td\te\n", b"c\td\n"]
    rows = list(parse_rows(lines, "a.tsv", (4, 2), reported.check()))
    assert [fault.kind for fault in reported] == ["mixed forms", "columns", "stray tabs"]
    assert reported.messages() == [
        "2: expected 2 columns, got 4",
        "3: expected 2 columns, got 1 (columns are separated by tabs)",
        "4: expected 2 columns, got 5",
    ]
    assert [row.columns for row in rows[1:4]] == [["a", "b"], ["a", ""], ["a", "b"]]
    assert [row.malformed for row in rows] == [False, True, True, True, False]


def test_without_a_number_of_columns_rows_may_differ_but_for_the_smallest_number(reported):
    lines = [b"a\tb\n", b"a\tb\tc\n", b"a\n"]
    rows = list(parse_rows(lines, "a.tsv", None, reported.check(), min_columns=2))
    [message] = reported.messages()
    assert message == "3: expected at least 2 columns, got 1 (columns are separated by tabs)"
    assert [row.columns for row in rows] == [["a", "b"], ["a", "b", "c"], ["a", ""]]


def test_a_malformed_row_reports_no_further_fault(reported):
    (row,) = parse_rows([b"\xffa\n"], "a.tsv", (1,), reported.check())
    assert row.malformed and row.columns == ["\ufffda"]
    row.report("ranks", "another fault", "it")
    row.checked_integer("x", "rank")
    assert reported.messages() == ["1: expected UTF-8, got byte 0xff at 0"]


def test_marks_and_line_ends_of_other_systems_are_reported_and_removed(reported):
    (row,) = parse_rows([b"\xef\xbb\xbfa\tb\r"], "a.tsv", (2,), reported.check())
    assert row.columns == ["a", "b"]
    assert [fault.kind for fault in reported] == [
        "final newline",
        "byte order mark",
        "carriage returns",
    ]


def test_an_empty_file_is_a_fault_and_has_no_rows(tmp_path, reported):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"")
    assert list(read_rows(path, (2,), reported.check())) == []
    assert [str(fault) for fault in reported] == [f"{path}:1: expected a line, got an empty file"]


def test_a_gzip_file_is_a_fault_that_names_the_cure(tmp_path, reported):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"1\ta\n"))
    assert list(read_rows(path, (2,), reported.check())) == []
    expected = "expected a file that is not compressed (gunzip unpacks it), got a gzip file"
    assert [str(fault) for fault in reported] == [f"{path}: {expected}"]


def test_faults_are_raised_or_ignored_as_the_check_says():
    row = Row("a.tsv", 1, IGNORE_FAULTS)
    assert row.checked_text("") == ""
    row.check = RAISE_FAULTS
    with pytest.raises(DataError, match="a.tsv:1: expected a text, got an empty one"):
        row.checked_text("")


NOT_FILES = {
    "nothing there": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe, device or broken link": os.mkfifo,
}


@pytest.mark.parametrize("got", NOT_FILES)
def test_a_path_that_is_not_a_file_is_refused_without_opening_it(tmp_path, got):
    path = tmp_path / "a.tsv"
    NOT_FILES[got](path)
    assert str(file_fault(path)) == f"{path}: expected a file, got {got}"
    for read in (require_file, lambda path: list(read_rows(path, None))):
        with pytest.raises(DataError, match=f"expected a file, got {got}"):
            read(path)


def test_a_file_that_may_be_read_has_no_fault(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\n")
    assert file_fault(path) is None
    require_file(path)
