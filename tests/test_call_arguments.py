"""A wrong argument of the toolkit is named with what was expected in its place."""

import math

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.text.call_arguments import (
    checked_pairs,
    checked_passages,
    checked_rate,
    checked_texts,
    checked_whole_number,
)


@pytest.mark.parametrize(
    "values, message",
    [
        ("the cat", "query: expected a list of texts, got a single text"),
        (b"the cat", "query: expected a list of texts, got a single bytes"),
        (None, "query: expected a list of texts, got a single NoneType"),
        (["a", "\ud800"], r"query\[1\]: expected a text, got half a character of UTF-16"),
        (["a cat", " "], r"query\[1\]: expected a text, got an empty one"),
        (["a cat", None], r"query\[1\]: expected a text, got NoneType"),
    ],
)
def test_a_list_with_anything_but_texts_is_refused(values, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        checked_texts("query", values)


def test_any_iterable_of_texts_becomes_a_list():
    assert checked_texts("query", (text for text in ("a", "b"))) == ["a", "b"]
    assert checked_texts("query", np.array(["a", "b"])) == ["a", "b"]


def test_only_titles_may_be_empty():
    assert checked_texts("title", ["", " "], may_be_empty=True) == ["", " "]
    with pytest.raises(DataError, match=r"title\[0\]: expected a text, got half a character"):
        checked_texts("title", ["\udfff"], may_be_empty=True)


def test_a_missing_title_is_replaced():
    assert checked_passages(["a", "b"], ["", "t"], "-") == [
        Passage("", "-", "a"),
        Passage("", "t", "b"),
    ]
    assert checked_passages(["a"], (), "-") == [Passage("", "-", "a")]


def test_titles_and_queries_must_be_as_many_as_passages():
    with pytest.raises(DataError, match="title: expected 1, one for each para, or none, got 2"):
        checked_passages(["a cat"], ["a", "b"], "-")
    with pytest.raises(DataError, match="para: expected 2, one for each query, got 1"):
        checked_pairs(["a", "b"], ["c"], (), "-")
    assert checked_pairs(["q"], ["a"], ["t"], "-") == [("q", Passage("", "t", "a"))]


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None])
def test_a_whole_number_is_one_or_more(value):
    with pytest.raises(DataError, match="^epoch: expected a whole number from 1, got "):
        checked_whole_number("epoch", value)
    assert type(checked_whole_number("epoch", np.int64(3))) is int


@pytest.mark.parametrize("value", [0.0, -1e-5, math.inf, math.nan, "fast", None])
def test_a_learning_rate_is_finite_and_above_zero(value):
    with pytest.raises(DataError, match="^learning_rate: expected a number above 0, got "):
        checked_rate(value)
    assert checked_rate(np.float64(1e-5)) == 1e-5
