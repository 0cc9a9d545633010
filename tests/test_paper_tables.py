"""The paper's numbers stand beside ours in its own layout, with a verdict that follows from both."""

from pathlib import Path

import pytest

from rocketqa.evaluation.paper_tables import (
    Expected,
    paper_values,
    read_expected,
    paper_table_lines,
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
    "ours, said",
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
def test_a_verdict_is_ours_against_the_papers_and_its_tolerance(ours, said):
    assert verdict(ROWS[2], ours) == said


@pytest.mark.parametrize(
    "ours, said", [(5.97, "reached"), (6.05, "reached"), (6.2, "other"), (None, "not run")]
)
def test_a_count_is_the_papers_or_another(ours, said):
    assert (
        verdict(Expected("1", "words a query", "data", "query_words", 5.97, 0.1, "table 1"), ours)
        == said
    )


def test_a_table_has_the_papers_rows_and_columns_with_ours_first():
    lines = list(
        paper_table_lines(ROWS, {("dual_encoder_2", "MRR@10"): 0.36512, ("bm25", "MRR@10"): 0.1867})
    )
    assert lines == [
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
    assert {table: sum(row.table == table for row in expected) for table in tables} == tables
    assert (
        sum(row.table.startswith("Released") for row in expected) == {"marco": 10, "nq": 9}[flight]
    )


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
