"""The released package's training files are read as texts; a wrong line is named by its place."""

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.files.released_rows import read_cross_training_set, read_dual_training_set


def test_six_columns_are_a_query_a_positive_and_a_negative(tmp_path):
    file = tmp_path / "train.tsv"
    file.write_text("the cat\t\ta cat sat\t-\tthe dog ran\t0\n")
    queries, collection, examples = read_dual_training_set([file])
    place = f"{file}:1"
    assert queries == {place: Query(place, "the cat")}
    assert collection == {
        f"{place} positive": Passage(f"{place} positive", " ", "a cat sat"),
        f"{place} negative": Passage(f"{place} negative", "-", "the dog ran"),
    }
    assert examples == [TrainingExample(place, f"{place} positive", (f"{place} negative",))]


def test_four_columns_are_a_labelled_pair(tmp_path):
    file = tmp_path / "train.tsv"
    file.write_text("the cat\t\ta cat sat\t1\nthe cat\tdog\tran\t0\n")
    queries, collection, pairs = read_cross_training_set([file])
    first, second = f"{file}:1", f"{file}:2"
    assert list(queries.values()) == [Query(first, "the cat"), Query(second, "the cat")]
    assert collection[first] == Passage(first, "", "a cat sat")
    assert collection[second] == Passage(second, "dog", "ran")
    assert pairs == [LabelledPair(first, first, 1), LabelledPair(second, second, 0)]


def test_line_ends_are_as_in_an_import(tmp_path):
    file = tmp_path / "train.tsv"
    file.write_bytes(b"the cat\t\ta cat sat\t1\r\nthe cat\tdog\tran\t0")
    _, collection, pairs = read_cross_training_set([file])
    assert [pair.label for pair in pairs] == [1, 0]
    assert collection[f"{file}:2"].text == "ran"


def test_a_passage_on_both_sides_of_a_query_is_refused_and_a_row_with_one_passage_left_out(
    tmp_path, capsys
):
    dual = tmp_path / "dual.tsv"
    dual.write_text("the cat\t\ta cat sat\t-\ta cat sat\t0\nthe cat\t\ta cat sat\t\tb\t0\n")
    assert len(read_dual_training_set([dual]).examples) == 1
    line = f"{dual}:1: first of 1 rows left out whose negative is the positive\n"
    assert capsys.readouterr().err == line
    cross = tmp_path / "cross.tsv"
    cross.write_text("the cat\t\ta cat sat\t1\nthe cat\t-\ta cat sat\t0\n")
    with pytest.raises(DataError, match="cross.tsv:2: expected a passage positive or negative"):
        read_cross_training_set([cross])


@pytest.mark.parametrize(
    "read, line, message",
    [
        (read_dual_training_set, "q\tt\tp\t1", "train.tsv:1: expected 6 columns, got 4"),
        (read_dual_training_set, "q\tt\t\t-\tp\t0", "train.tsv:1: expected a text, got an empty"),
        (read_cross_training_set, "q\tt\tp\t-\tp\t0", "train.tsv:1: expected 4 columns, got 6"),
        (read_dual_training_set, "q\tt\tp\t-\tn\t1", "train.tsv:1: expected label 0, got '1'"),
        (read_cross_training_set, "q\tt\tp\tyes", "train.tsv:1: expected label 0 or 1, got 'yes'"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path, read, line, message):
    file = tmp_path / "train.tsv"
    file.write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        read([file])
