"""An error that a user can mend is one line: its place, what was expected, and what is there."""

import pytest

from rocketqa.files.errors import DataError, Fault, one_line, raise_fault


def test_a_fault_names_its_place_and_keeps_its_class():
    fault = Fault("columns", "qrels.dev.tsv:17", "4 columns", "3")
    assert str(fault) == "qrels.dev.tsv:17: expected 4 columns, got 3"
    assert fault.kind == "columns"


def test_the_default_fault_handler_raises_the_fault_as_a_data_error():
    fault = Fault("columns", "a.tsv:1", "4 columns", "3")
    with pytest.raises(DataError) as error:
        raise_fault(fault)
    assert error.value is fault


def test_an_error_of_several_lines_becomes_one_of_at_most_200_characters():
    assert one_line(KeyError("a")) == "KeyError: 'a'"
    assert one_line(ValueError("first\n  second\tthird")) == "ValueError: first second third"
    assert one_line(ValueError("x" * 500)) == "ValueError: " + "x" * 188
