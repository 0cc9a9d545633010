"""The remarks of an evaluation name counts, and the first ids."""

from pathlib import Path

from rocketqa.evaluation.remarks import (
    query_counts,
    warn_of_contradiction,
    warn_of_identical_ids,
    warn_of_queries_without_relevant,
    warn_of_unjudged_queries,
)
from rocketqa.files.run_order import Contradiction

RUN = Path("a.run")


def test_equal_numbers_of_queries_need_no_remark():
    remarks: list[str] = []
    counts = query_counts(RUN, {"q1": []}, ["q1"], remarks.append)
    assert counts == {"queries_judged": 1, "queries_retrieved": 1, "queries_evaluated": 1}
    assert not remarks


def test_the_first_three_of_many_ids_are_named():
    remarks: list[str] = []
    warn_of_unjudged_queries(
        RUN, Path("qrels.tsv"), {f"q{i}": [] for i in range(6)}, ["q0"], remarks.append
    )
    assert remarks == [
        "a.run: 5 queries are not in qrels.tsv and are left out: q1, q2, q3, ...",
    ]


def test_queries_without_a_passage_of_the_level_are_named():
    remarks: list[str] = []
    judgements = {"q1": {"a": 1}, "q2": {"a": 3}}
    relevant = {"q2": {"a": 3}}
    warn_of_queries_without_relevant(Path("qrels.tsv"), judgements, relevant, 2, remarks.append)
    warn_of_queries_without_relevant(Path("qrels.tsv"), relevant, relevant, 2, remarks.append)
    assert remarks == [
        "qrels.tsv: 1 queries have no passage of relevance 2 or more and are left out: q1"
    ]


def test_a_contradiction_is_named_with_the_measures_that_differ():
    remarks: list[str] = []
    contradiction = Contradiction(2, "a.run:2: text")
    by_rank = {"MRR@10": 0.5, "Success@2": 1.0}
    for by_score in (by_rank | {"MRR@10": 1.0}, by_rank):
        warn_of_contradiction(contradiction, by_rank, by_score, remarks.append)
    cure = "(--order score measures by score)"
    assert remarks == [
        f"a.run:2: text; MRR@10 0.5 by rank and 1.0 by score {cure}",
        f"a.run:2: text; all measures are equal in both orders {cure}",
    ]


def test_queries_that_find_themselves_are_counted():
    remarks: list[str] = []
    warn_of_identical_ids(RUN, {"q1": ["q1", "a"], "q2": ["q1"]}, remarks.append)
    assert remarks == ["a.run: 1 queries find the passage of their own id, which is left out"]
