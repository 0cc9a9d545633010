"""A line is split at its tabs, and where it is TREC's, at any blanks."""

import pytest

from rocketqa.files.columns import at_tabs, at_tabs_or_blanks


def test_columns_between_tabs_may_be_empty_or_hold_spaces():
    assert at_tabs("p1\t\ta text") == ["p1", "", "a text"]


@pytest.mark.parametrize(
    "line, columns",
    [
        ("q\t0\tp\t1", ["q", "0", "p", "1"]),
        ("q 0 p 1", ["q", "0", "p", "1"]),
        ("  q   0 p\t 1 ", ["q", "0", "p", "1"]),
        ("q 0\tp 1", ["q", "0", "p", "1"]),  # two columns at the tabs, but TREC's four at blanks
        ("q p", ["q", "p"]),
        ("q\t0\tp 2\t1", ["q", "0", "p 2", "1"]),  # four at the tabs: a space in an id
        ("q\tp 2", ["q", "p 2"]),
        ("q\t0\t\t1", ["q", "0", "", "1"]),
        ("q\t0\tp\t1\t", ["q", "0", "p", "1", ""]),  # no space: nothing but tabs separates
        ("q 0 p", ["q", "0", "p"]),
        ("q 0\u00a0p 1", ["q", "0\u00a0p", "1"]),
        ("", [""]),
        ("  ", [""]),
    ],
)
def test_a_line_of_trec_is_split_at_any_blanks_and_any_other_at_its_tabs(line, columns):
    assert at_tabs_or_blanks((4, 2))(line) == columns
