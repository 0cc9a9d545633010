"""The tables of the denoising report, by hand on literal runs and by a slow twin on random ones."""

import numpy as np
from denoising_fixture import counts_of

from rocketqa.evaluation.denoising_report import (
    by_max_negative,
    by_min_positive,
    by_rank,
    by_score,
    removals_with_texts,
    report_lines,
)
from rocketqa.files.formats import Passage, Query

ONE = (
    "q1",
    {"a": 0.95, "b": 0.1, "c": 0.0999, "d": 0.5} | {f"r{rank}": 0.01 for rank in range(5, 12)},
    ["d"],
    None,
)


def column(table, name: str) -> list:
    """Returns the cells of a column."""
    return [row[table[0].index(name)] for row in table[1:]]


def at(table, threshold: float) -> dict:
    """Returns column -> cell of the row of a threshold."""
    [row] = [row for row in table[1:] if row[0] == threshold]
    return dict(zip(table[0], row))


def test_removed_are_the_unlabelled_that_are_not_below_the_threshold_by_range_of_ranks():
    # Ranks 1 and 2: a and b are removed; c and r5 ... r11 are not; d, of rank 4, is labelled.
    table = by_rank(counts_of(ONE))
    assert [row[:5] for row in table[1:]] == [
        [1, 1, 1, 1, 1.0],
        [2, 2, 1, 1, 1.0],
        [3, 5, 2, 0, 0.0],
        [6, 10, 5, 0, 0.0],
        [11, 20, 1, 0, 0.0],
    ]
    assert table[1][5:] == ["", "", "", ""]


def test_thresholds_are_strict_on_their_own_edges():
    counts = counts_of(
        ONE, ("q2", {"a": 0.9, "b": 0.2}, [], None), ("q3", {"a": 0.9001}, ["a"], None)
    )
    negatives = by_max_negative(counts)
    assert at(negatives, 0.1)["negatives"] == 8
    assert at(negatives, 0.2)["negatives"] == 9
    assert at(negatives, 0.1)["queries_with_negatives"] == 1
    assert at(negatives, 0.3)["queries_with_negatives"] == 2
    # q3 has no unlabelled passage. The best score of q2, 0.9, is not above 0.9; that of q1 is.
    positives = by_min_positive(counts)
    assert at(positives, 0.9)["queries_with_a_positive"] == 1
    assert at(positives, 0.8)["queries_with_a_positive"] == 2


def test_truth_tells_what_is_kept_and_removed_rightly():
    counts = counts_of(
        ("q1", {"a": 0.95, "b": 0.4, "c": 0.05, "d": 0.02, "e": 0.97}, ["e"], ["a", "c", "e"]),
        ("q2", {"a": 0.92, "b": 0.0}, [], ["x"]),
    )
    assert by_rank(counts) == [
        [
            "first_rank",
            "last_rank",
            "unlabelled",
            "removed",
            "share_removed",
            "relevant",
            "relevant_removed",
            "irrelevant",
            "irrelevant_removed",
        ],
        [1, 1, 2, 2, 1.0, 1, 1, 1, 1],
        [2, 2, 2, 1, 0.5, 0, 0, 2, 1],
        [3, 5, 2, 0, 0.0, 1, 0, 1, 0],
    ]
    # Of the negatives c, d and b of q2, c is relevant.
    assert at(by_max_negative(counts), 0.1)["share_of_negatives_relevant"] == 0.3333
    # The best passage of q1 is labelled, that of q2 is irrelevant.
    assert at(by_min_positive(counts), 0.9)["labelled_or_relevant"] == 0.5
    assert sum(column(by_score(counts), "labelled")) == 1
    assert sum(column(by_score(counts), "unlabelled")) == 6


def test_the_labelled_that_a_threshold_would_take_for_negatives_are_counted():
    counts = counts_of(("q1", {"a": 0.05, "b": 0.6, "c": 0.5}, ["a", "b"], None))
    assert at(by_max_negative(counts), 0.1)["labelled_taken_for_negatives"] == 0.5


def test_counts_are_those_of_a_slow_twin():
    drawing = np.random.default_rng(0)
    queries = []
    for number in range(30):
        ids = [f"p{place}" for place in range(int(drawing.integers(1, 250)))]
        values = np.round(drawing.random(len(ids)), 2).tolist()
        queries.append((f"q{number}", dict(zip(ids, values)), ids[:2], set(ids[::3])))
    counts = counts_of(*queries, max_negative=0.15)
    unlabelled_passages = []  # (rank, score, relevant)
    for _, scores, positives, truth in queries:
        for rank, (passage_id, score) in enumerate(scores.items(), 1):
            if passage_id not in positives:
                unlabelled_passages.append((rank, score, passage_id in truth))
    for first, last, unlabelled, removed, _, relevant, relevant_removed, *_ in by_rank(counts)[1:]:
        here = [passage for passage in unlabelled_passages if first <= passage[0] <= last]
        removed_here = [passage for passage in here if passage[1] >= 0.15]
        assert unlabelled == len(here)
        assert removed == len(removed_here)
        assert relevant == sum(is_relevant for *_, is_relevant in here)
        assert relevant_removed == sum(is_relevant for *_, is_relevant in removed_here)
    for threshold, negatives, *_ in by_max_negative(counts)[1:]:
        assert negatives == sum(score < threshold for _, score, _ in unlabelled_passages)


def test_removals_are_shown_with_their_texts():
    counts = counts_of(("q1", {"a": 0.5}, [], []))
    queries = {"q1": Query("q1", "who")}
    passages = {"a": Passage("a", "A", "text a")}
    table = removals_with_texts(counts, queries, passages)
    assert table[1:] == [["q1", "who", 1, "0.5", "a", "A", "text a", "no"]]
    assert list(report_lines({"removals": table})) == [
        "",
        "## Removals, drawn by chance",
        "",
        "| query_id | query | rank | score | passage_id | title | text | relevant |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| q1 | who | 1 | 0.5 | a | A | text a | no |",
    ]
