"""Rows of texts become rows of ids; a bad row is raised at once, or left out and counted."""

import io

import pytest
from data_prep_runs import data_prep_module

from rocketqa.files.errors import DataError, Fault

text_rows = data_prep_module("text_rows")


def converter(drop_bad: bool):
    """Returns a converter of rows for the cross encoder that makes new ids."""
    ids = [text_rows.NewIds(io.StringIO(), letter) for letter in "qp"]
    return text_rows.RowConverter(4, *ids, text_rows.DroppedRows(drop_bad))


ROWS = [
    ("f:1", ["q", "t", "text", "1"]),
    ("f:2", ["q", "t", "text", "0"]),
    ("f:3", ["q", "-", "text", "0"]),
    ("f:4", ["q", "", "text", "1"]),
]


def test_a_row_is_compared_by_its_texts_with_the_rows_that_were_kept(capsys):
    rows = converter(drop_bad=True)
    lines = [line.split("\t") for line in rows.lines(ROWS)]
    assert [label for _, _, label in lines] == ["1", "0"]  # rows 1 and 3
    assert rows.dropped.lines == {"positive and negative": [2, 4]}
    assert rows.passage_ids.file.getvalue().count("\n") == 2
    rows.dropped.print_counts()
    assert capsys.readouterr().err.splitlines()[-1] == "positive and negative\t2"


def test_the_first_bad_row_is_raised_with_the_cure():
    with pytest.raises(DataError, match="^f:2: expected .* as both .--drop-bad leaves such rows"):
        list(converter(drop_bad=False).lines(ROWS))


def test_a_fault_is_kept_by_its_class_and_line(capsys):
    dropped = text_rows.DroppedRows(drop_bad=True)
    dropped.add(Fault("labels", "a:b:7", "label 0", "'1'"))
    assert dropped.lines == {"labels": [7]}
    assert capsys.readouterr().err == "left out: a:b:7: expected label 0, got '1'\n"
