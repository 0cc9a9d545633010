"""ROWS and RATES hold numbers by name, and a wrong word is named with its variable."""

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import ABOVE_0, WHOLE_FROM_0
from rocketqa.training.plan_numbers import parse_numbers, tokens_on_disk


def test_numbers_are_read_by_name():
    assert parse_numbers(" train=1000  cross=50.5 ", ("train", "cross"), "RATES", ABOVE_0) == {
        "train": 1000,
        "cross": 50.5,
    }
    assert parse_numbers("", ("train",), "RATES", ABOVE_0) == {}
    assert parse_numbers("a=0", ("a",), "ROWS", WHOLE_FROM_0) == {"a": 0}


@pytest.mark.parametrize(
    "text, message",
    [
        ("fast", "RATES: expected words NAME=NUMBER of train, cross, each once, got fast"),
        ("encode=1", "RATES: expected words NAME=NUMBER of train, cross, each once, got encode=1"),
        ("train", "RATES: expected words NAME=NUMBER of train, cross, each once, got train"),
        ("train=1 train=2", "RATES: expected words NAME=NUMBER of train, cross, each once, got t"),
        ("train=0", "RATES: train: expected a finite number above 0, got 0"),
        ("train=nan", "RATES: train: expected a finite number above 0, got nan"),
        ("train=", "RATES: train: expected a finite number above 0, got an empty text"),
        ("train=-5", "RATES: train: expected a finite number above 0, got -5"),
    ],
)
def test_a_wrong_word_is_named_with_its_variable(text, message):
    with pytest.raises(DataError) as error:
        parse_numbers(text, ("train", "cross"), "RATES", ABOVE_0)
    assert str(error.value).startswith(message)


def test_rows_are_whole_numbers():
    with pytest.raises(DataError, match="^ROWS: a: expected a whole number from 0, got 1.5$"):
        parse_numbers("a=1.5", ("a",), "ROWS", WHOLE_FROM_0)


def test_tokens_are_on_disk_for_both_kinds_of_model():
    rows = {"collection": 1000, "queries.train": 10, "queries.dev": 5, "qrels.train": 99}
    assert tokens_on_disk(rows) == (
        "1,000 passages and 15 queries, for each of two kinds of model",
        2 * (1000 * 190 + 15 * 50),
    )
