"""What a client may ask: as the body of a request, and as the form of the page."""

import pytest
from pydantic import ValidationError

from rocketqa.search.page import Form
from rocketqa.search.search_request import (
    DEFAULT_DEPTH,
    SearchRequest,
    first_error,
    request_of_form,
    wrong_field,
)


def test_a_form_is_the_request_that_it_says():
    assert request_of_form(Form("w1", "4"), 4) == SearchRequest(query="w1", depth=4)
    assert SearchRequest(query="w1").depth == DEFAULT_DEPTH


@pytest.mark.parametrize(
    "form, message",
    [
        (Form("w", "5"), "Passages to show: expected a whole number from 1 to 4, got 5"),
        (Form("w", "0"), "Passages to show: expected a whole number from 1 to 4, got 0"),
        (Form("w", ""), "Passages to show: expected a whole number from 1 to 4, got nothing"),
        (Form("w" * 2001, "4"), "Query: expected at most 2000 characters, got 2001 characters"),
        (Form(" ", "4"), "Query: expected text, got only blanks or a NUL"),
    ],
)
def test_what_is_wrong_in_a_form_is_named_in_the_words_of_the_page(form, message):
    with pytest.raises(ValidationError) as refused:
        request_of_form(form, 4)
    assert wrong_field(form, refused.value, 4)[1] == message


def test_the_first_error_names_the_field():
    with pytest.raises(ValidationError) as refused:
        SearchRequest.model_validate({"query": "w", "depth": 101})
    errors = refused.value.errors()
    assert first_error(errors) == "depth: Input should be less than or equal to 100"
