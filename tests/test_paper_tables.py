"""The paper's numbers stand beside ours in its own tables, and a verdict follows from both."""

from collections import Counter
from pathlib import Path

import pytest

from rocketqa.evaluation.paper_tables import (
    Expected,
    paper_table_lines,
    paper_values,
    read_expected,
    verdict,
)

EXPECTED = Path(__file__).parents[1] / "run_scripts/expected.tsv"
ROWS = [
    Expected("2", "BM25", "bm25", "MRR@10", 18.7, 0.1, "table 2"),
    Expected("2", "other", "", "MRR@10", 33.0, 0.5, "table 2"),
    Expected("2", "RocketQA", "dual_encoder_2", "MRR@10", 37.0, 0.5, "table 2"),
    Expected("2", "RocketQA", "dual_encoder_2", "Success@50", 85.5, 0.5, "table 2"),
]


@pytest.mark.parametrize(
    "ours, expected",
    [
        (37.0, "reached"),
        (40.1, "reached"),
        (36.99, "within tolerance"),
        (36.5, "within tolerance"),
        (36.49, "below"),
        (0.0, "below"),
        (None, "not run"),
    ],
)
def test_a_verdict_is_ours_against_the_papers_and_its_tolerance(ours, expected):
    assert verdict(ROWS[2], ours) == expected


@pytest.mark.parametrize(
    "ours, expected", [(5.97, "reached"), (6.05, "reached"), (6.2, "other"), (None, "not run")]
)
def test_a_count_is_the_papers_or_another(ours, expected):
    row = Expected("1", "words a query", "data", "query_words", 5.97, 0.1, "table 1")
    assert verdict(row, ours) == expected


def test_a_table_has_the_papers_rows_and_columns_with_ours_first():
    our_values = {("dual_encoder_2", "MRR@10"): 0.36512, ("bm25", "MRR@10"): 0.1867}
    assert list(paper_table_lines(ROWS, our_values)) == [
        "",
        "## Table 2 of the paper",
        "",
        "| | MRR@10 | R@50 |",
        "| --- | --- | --- |",
        "| BM25 | 18.67 (18.7) within tolerance |  |",
        "| other | (33) |  |",
        "| RocketQA | 36.51 (37) within tolerance | (85.5) not run |",
    ]


def test_the_most_precise_of_a_repeated_number_stands_beside_ours():
    rows = [ROWS[2], ROWS[2]._replace(value=37.02), ROWS[2]._replace(value=37.0)]
    assert paper_values(rows) == {("dual_encoder_2", "MRR@10"): 0.3702}


@pytest.mark.parametrize(
    "flight, tables",
    [("marco", {"1": 6, "2": 18, "3": 5, "6": 5}), ("nq", {"1": 5, "2": 11, "6": 5, "7": 5})],
)
def test_the_file_holds_every_number_of_the_papers_tables(flight, tables):
    expected = read_expected(EXPECTED, flight)
    counts = Counter(row.table for row in expected)
    assert {table: counts[table] for table in tables} == tables
    released = [row for row in expected if row.table.startswith("Released")]
    assert len(released) == {"marco": 10, "nq": 9}[flight]


@pytest.mark.parametrize(
    "flight, model, measure, value",
    [
        ("marco", "in_batch", "MRR@10", 0.3239),
        ("marco", "hard_without_denoising", "MRR@10", 0.2603),
        ("marco", "dual_encoder_1", "Success@50", 0.8463),
        ("marco", "bert_base", "MRR@10", 0.327),
        ("nq", "dual_encoder_2", "accuracy@20", 0.8338),
        ("nq", "denoised", "accuracy@5", 0.732),
        ("nq", "dual_encoder_0", "accuracy@100", 0.874),
        ("nq", "bert_base", "accuracy@100", 0.86),
    ],
)
def test_numbers_of_the_file_are_the_papers(flight, model, measure, value):
    assert paper_values(read_expected(EXPECTED, flight))[model, measure] == value


def test_counts_are_shown_as_they_are_and_have_a_column_of_their_own():
    rows = [
        Expected("1", "train queries", "data", "queries.train", 502939, 0, "table 1"),
        Expected("1", "words a query", "data", "query_words", 5.97, 0.1, "table 1"),
    ]
    our_values = {("data", "queries.train"): 502939.0, ("data", "query_words"): 6.234}
    assert list(paper_table_lines(rows, our_values)) == [
        "",
        "## Table 1 of the paper",
        "",
        "| | value |",
        "| --- | --- |",
        "| train queries | 502,939 (502,939) reached |",
        "| words a query | 6.23 (5.97) other |",
    ]
