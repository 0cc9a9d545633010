"""What a client may ask the HTTP service: a query and a depth, as JSON or in the page's form."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from rocketqa.search.page import Form

LONGEST_QUERY = 2000  # characters
LARGEST_DEPTH = 100
DEFAULT_DEPTH = 10
MOST_DEPTH_DIGITS = 8  # in the form of the page; a longer number is far beyond LARGEST_DEPTH
SHOWN_CHARACTERS = 20  # of a wrong depth in a message
OUTER_PLACES = ("body", "query_string")  # pydantic names them before the field


def searchable(query: str) -> str:
    """Returns a query unchanged. Raises ValueError where it has no text to search for, or a NUL."""
    if not query.strip() or "\0" in query:
        raise ValueError("expected text, got none or a NUL")
    return query


class SearchRequest(BaseModel, extra="forbid", strict=True):
    """The body of a request to /search."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY), AfterValidator(searchable)]
    depth: Annotated[int, Field(ge=1, le=LARGEST_DEPTH)] = DEFAULT_DEPTH


def first_error(errors: Sequence[Any]) -> str:
    """Returns the first of pydantic's errors as one line: the place and what is expected there."""
    error = errors[0]
    inner = [str(place) for place in error["loc"] if place not in OUTER_PLACES]
    place = ".".join(inner) or "body"
    return f"{place}: {error['msg']}"


def request_of_form(form: Form, largest_depth: int) -> SearchRequest:
    """Returns the request of the page's form. Raises ValidationError on a wrong query or depth."""
    depth = form.depth
    is_number = depth.isdecimal() and len(depth) <= MOST_DEPTH_DIGITS
    is_depth = is_number and int(depth) <= largest_depth
    wanted_depth = int(depth) if is_depth else depth  # a text is refused as a wrong depth
    fields = {"query": form.query, "depth": wanted_depth}
    return SearchRequest.model_validate(fields)


def wrong_field(form: Form, error: ValidationError, largest_depth: int) -> tuple[str, str]:
    """Returns the first wrong field of the page's form, and what is wrong in the page's words."""
    field = str(error.errors()[0]["loc"][0])
    if field == "depth":
        got = form.depth[:SHOWN_CHARACTERS] or "nothing"
        expected = f"a whole number from 1 to {largest_depth}"
        return field, f"Passages to show: expected {expected}, got {got}"
    if len(form.query) > LONGEST_QUERY:
        got = f"{len(form.query)} characters"
        return field, f"Query: expected at most {LONGEST_QUERY} characters, got {got}"
    return field, "Query: expected text, got only blanks or a NUL"
