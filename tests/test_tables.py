"""Tables become lines of TSV and Markdown."""

from rocketqa.evaluation.tables import markdown_lines, tsv_lines


def test_a_table_has_its_columns_first():
    table = [["name", "value"], ["a", 0.5], ["b", ""]]
    assert list(tsv_lines(table)) == ["name\tvalue", "a\t0.5", "b\t"]
    assert list(markdown_lines(table)) == [
        "| name | value |",
        "| --- | --- |",
        "| a | 0.5 |",
        "| b |  |",
    ]


def test_a_bar_in_a_text_does_not_break_a_table():
    assert list(markdown_lines([["text"], ["a|b"]])) == ["| text |", "| --- |", "| a\\|b |"]
