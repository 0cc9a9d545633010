"""The report of denoising counts what it says: by hand on literal runs, and as a slow twin on random ones."""

import json

import numpy as np
import pytest

from rocketqa.cli.__main__ import main
from rocketqa.evaluation.denoising_report import DenoisingReport, markdown_lines
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage, ranked, run_lines


def report_of(*queries, max_negative=0.1, min_positive=0.9, seed=1) -> DenoisingReport:
    """Returns the report of (query_id, {passage_id: score} by rank, positives, truth)."""
    report = DenoisingReport(max_negative, min_positive, seed)
    for query_id, scored, positives, truth in queries:
        top = [
            ScoredPassage(query_id, passage_id, rank, 1 / rank)
            for rank, passage_id in enumerate(scored, 1)
        ]
        report.add(
            query_id,
            top,
            {(query_id, passage_id): score for passage_id, score in scored.items()},
            positives,
            truth,
        )
    return report


def column(table, name: str) -> list:
    return [row[table[0].index(name)] for row in table[1:]]


def at(table, threshold: float) -> dict:
    return next(dict(zip(table[0], row)) for row in table[1:] if row[0] == threshold)


ONE = (
    "q1",
    {"a": 0.95, "b": 0.1, "c": 0.0999, "d": 0.5} | {f"r{rank}": 0.01 for rank in range(5, 12)},
    ["d"],
    None,
)


def test_removed_are_the_unlabelled_that_are_not_below_the_threshold_by_range_of_ranks():
    # Ranks 1 and 2: a and b are removed; c and r5 ... r11 are not; d, of rank 4, is labelled.
    table = report_of(ONE).by_rank()
    assert [row[:5] for row in table[1:]] == [
        [1, 1, 1, 1, 1.0],
        [2, 2, 1, 1, 1.0],
        [3, 5, 2, 0, 0.0],
        [6, 10, 5, 0, 0.0],
        [11, 20, 1, 0, 0.0],
    ]
    assert table[1][5:] == ["", "", "", ""]


def test_thresholds_are_strict_on_their_own_edges():
    report = report_of(
        ONE, ("q2", {"a": 0.9, "b": 0.2}, [], None), ("q3", {"a": 0.9001}, ["a"], None)
    )
    assert at(report.as_max_negative(), 0.1)["negatives"] == 8
    assert at(report.as_max_negative(), 0.2)["negatives"] == 9
    assert at(report.as_max_negative(), 0.1)["queries_with_negatives"] == 1
    assert at(report.as_max_negative(), 0.3)["queries_with_negatives"] == 2
    # Of q3 nothing is unlabelled. q2's best, 0.9, is not above 0.9; q1's is.
    assert at(report.as_min_positive(), 0.9)["queries_with_a_positive"] == 1
    assert at(report.as_min_positive(), 0.8)["queries_with_a_positive"] == 2


def test_truth_tells_what_is_kept_and_removed_rightly():
    report = report_of(
        ("q1", {"a": 0.95, "b": 0.4, "c": 0.05, "d": 0.02, "e": 0.97}, ["e"], ["a", "c", "e"]),
        ("q2", {"a": 0.92, "b": 0.0}, [], ["x"]),
    )
    assert report.by_rank() == [
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
    assert (
        at(report.as_max_negative(), 0.1)["share_of_negatives_relevant"] == 0.3333
    )  # c of c, d and q2's b
    assert (
        at(report.as_min_positive(), 0.9)["labelled_or_relevant"] == 0.5
    )  # q1's best is labelled, q2's irrelevant
    assert (
        sum(column(report.by_score(), "labelled")) == 1
        and sum(column(report.by_score(), "unlabelled")) == 6
    )


def test_the_labelled_that_a_threshold_would_take_for_negatives_are_counted():
    report = report_of(("q1", {"a": 0.05, "b": 0.6, "c": 0.5}, ["a", "b"], None))
    assert at(report.as_max_negative(), 0.1)["labelled_taken_for_negatives"] == 0.5


def test_twenty_removals_are_drawn_one_a_query_whatever_the_order_of_the_queries():
    queries = [(f"q{number}", {"a": 0.5, "b": 0.6, "c": 0.0}, [], None) for number in range(60)]
    removals = report_of(*queries).removals()
    assert len({removal.query_id for removal in removals}) == len(removals) == 20
    assert {removal.passage_id for removal in removals} == {"a", "b"}
    assert (
        report_of(*queries[::-1]).removals() == removals != report_of(*queries, seed=2).removals()
    )
    assert report_of(("q1", {"a": 0.0}, [], None)).removals() == []


def test_a_score_that_is_missing_is_refused():
    with pytest.raises(DataError, match="scores: expected one of query q with passage a, got none"):
        DenoisingReport(0.1, 0.9, 1).add("q", [ScoredPassage("q", "a", 1, 1.0)], {}, (), None)


def test_counts_are_those_of_a_slow_twin():
    drawing = np.random.default_rng(0)
    queries = []
    for number in range(30):
        ids = [f"p{place}" for place in range(int(drawing.integers(1, 250)))]
        values = np.round(drawing.random(len(ids)), 2).tolist()
        queries.append((f"q{number}", dict(zip(ids, values)), ids[:2], set(ids[::3])))
    report = report_of(*queries, max_negative=0.15)
    pairs = [
        (rank, score, passage_id in truth)
        for _, scored, positives, truth in queries
        for rank, (passage_id, score) in enumerate(scored.items(), 1)
        if passage_id not in positives
    ]
    for first, last, unlabelled, removed, _, relevant, relevant_removed, *_ in report.by_rank()[1:]:
        here = [pair for pair in pairs if first <= pair[0] <= last]
        assert unlabelled == len(here) and removed == sum(score >= 0.15 for _, score, _ in here)
        assert relevant == sum(known for *_, known in here)
        assert relevant_removed == sum(known and score >= 0.15 for _, score, known in here)
    for row in report.as_max_negative()[1:]:
        assert row[1] == sum(score < row[0] for _, score, _ in pairs)


def test_the_verb_makes_a_folder_with_the_tables_and_the_texts_of_the_removals(tmp_path, capsys):
    def written(name: str, lines) -> str:
        (tmp_path / name).write_text("".join(line.replace("|", "\t") + "\n" for line in lines))
        return str(tmp_path / name)

    run = [ranked("q1", [("a", 3.0), ("b", 2.0), ("c", 1.0)]), ranked("q2", [("c", 3.0)])]
    scores = [ranked("q1", [("a", 0.95), ("b", 0.5), ("c", 0.01)]), ranked("q2", [("c", 0.3)])]
    flags = [
        "--run",
        written("a.run", (line for ranking in run for line in run_lines(ranking))),
        "--scores",
        written("b.run", (line for ranking in scores for line in run_lines(ranking))),
        "--queries",
        written("queries.tsv", ["q1|who", "q2|what"]),
        "--depth",
        "2",
        "--collection",
        written("collection.tsv", ["a|A|text a", "b||text b", "c|C|text c"]),
        "--qrels",
        written("qrels.tsv", ["q1|0|a|1"]),
        "--truth",
        written("truth.tsv", ["q1|0|a|1"]),
    ]
    assert main(["report-denoising", *flags, "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 2 of 2 unlabelled passages removed\n"
    assert sorted((tmp_path / "out" / "removals.tsv").read_text().splitlines()[1:]) == [
        "q1\twho\t2\t0.5\tb\t\ttext b\tno",
        "q2\twhat\t1\t0.3\tc\tC\ttext c\t",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "meta.json",
        "report.md",
        *(
            f"{name}.tsv"
            for name in ("by_rank", "by_score", "max_negative", "min_positive", "removals")
        ),
    }
    assert (
        json.loads((tmp_path / "out" / "meta.json").read_text())["job"]["flags"]["max_negative"]
        == 0.1
    )
    assert (
        "| q1 | who | 2 | 0.5 | b |  | text b | no |"
        in (tmp_path / "out" / "report.md").read_text()
    )
    written("collection.tsv", ["a|A|text a", "c|C|text c"])
    assert main(["report-denoising", *flags, "--output", str(tmp_path / "other")]) == 2
    assert capsys.readouterr().err.endswith(
        f"a.run: expected passages of {tmp_path}/collection.tsv, got 'b'\n"
    )


def test_a_bar_in_a_text_does_not_break_a_table():
    assert list(markdown_lines([["text"], ["a|b"]])) == ["| text |", "| --- |", "| a\\|b |"]
