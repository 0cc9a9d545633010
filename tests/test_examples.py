"""Training examples are read as documented, and a bad line is refused with its place."""

import pytest

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.examples import (
    LabelledPair,
    Sides,
    TrainingExample,
    read_examples,
    read_pairs,
)
from rocketqa.files.rows import Check


@pytest.mark.parametrize(
    "reader, content, message",
    [
        (
            read_examples,
            "q1\tp1\tp1\n",
            ":1: expected a passage positive or negative for query q1, got 'p1' as both",
        ),
        (read_pairs, "q1\tp1\t2\n", ":1: expected label 0 or 1, got '2'"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path, reader, content, message):
    path = tmp_path / "file.tsv"
    path.write_text(content)
    with pytest.raises(DataError) as error:
        reader(path)
    assert str(error.value) == f"{path}{message}"


def test_rows_may_have_different_numbers_of_negatives(tmp_path):
    path = tmp_path / "examples.tsv"
    path.write_text("q1\tp1\tp2\nq1\tp1\nq2\tp1\tp2\tp3\n")
    negatives = [example.negative_ids for example in read_examples(path)]
    assert negatives == [("p2",), (), ("p2", "p3")]


def test_a_row_on_both_sides_is_found_and_its_other_passages_are_forgotten():
    sides = Sides()
    assert sides.conflict("q", ["e"], ["e"]) == "e"
    assert sides.conflict("q", ["e"], ["f"], known_positives={"f"}) == "f"
    assert sides.conflict("q", ["a"], ["b", "b"]) is None
    sides.add("q", ["a"], ["b", "b"])
    assert sides.conflict("q", ["c"], ["a", "d"]) == "a"
    assert sides.conflict("q", ["b"], []) == "b"
    assert sides.conflict("q", ["d", "a"], ["c", "b"]) is None
    assert sides.conflict("another query", ["b"], ["a"]) is None


def test_a_bad_row_is_compared_with_no_later_row(tmp_path):
    faults: list[Fault] = []
    path = tmp_path / "examples.tsv"
    path.write_text("q1\tp1\tp2\nq1\tp3\tp1\nq1\tp4\tp3\n")
    read_examples(path, check=Check(faults.append))
    assert [fault.place for fault in faults] == [f"{path}:2"]


def test_a_known_positive_is_refused_as_a_negative(tmp_path):
    path = tmp_path / "examples.tsv"
    path.write_text("q1\tp1\tp2\n")
    check = Check(known_positives={"q1": {"p2"}})
    with pytest.raises(DataError, match="positive or negative for query q1, got 'p2' as both"):
        read_examples(path, check=check)
    assert read_examples(path) == [TrainingExample("q1", "p1", ("p2",))]


def test_the_sides_of_passages_are_compared_over_all_files(tmp_path):
    first, second = tmp_path / "1.tsv", tmp_path / "2.tsv"
    first.write_text("q1\tp1\t1\n")
    second.write_text("q2\tp1\t0\nq1\tp1\t0\n")
    with pytest.raises(DataError, match="2.tsv:2: expected a passage positive or negative"):
        read_pairs(first, second)


def test_after_a_fault_malformed_examples_are_left_out_and_wrong_labels_are_0(tmp_path):
    faults: list[Fault] = []
    check = Check(faults.append)
    dual = tmp_path / "dual.tsv"
    dual.write_text("q1\nq1\tp1\tp2\n")
    assert read_examples(dual, check=check) == [TrainingExample("q1", "p1", ("p2",))]
    cross = tmp_path / "cross.tsv"
    cross.write_text("q1\tp1\tyes\n")
    assert read_pairs(cross, check=check) == [LabelledPair("q1", "p1", 0)]
    assert [fault.kind for fault in faults] == ["columns", "labels"]
