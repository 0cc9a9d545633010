"""Measures of rankings, by hand."""

from math import log2

import pytest

from rocketqa.evaluation.measures import is_graded, mean, parse_measure, per_query, success
from rocketqa.files.errors import DataError


def relevant(**passages: str) -> dict[str, dict[str, int]]:
    """Returns judgements with the relevance 1, of words of passage ids."""
    return {query_id: dict.fromkeys(words.split(), 1) for query_id, words in passages.items()}


def test_measures_of_a_run_worked_out_by_hand():
    rankings = {"q1": ["a", "b", "c"], "q2": ["d", "e"]}
    judgements = relevant(q1="b c z", q2="x", q3="y")
    assert per_query(rankings, judgements, "MRR@10") == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "MRR@1") == {"q1": 0.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "Success@2") == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "Recall@3") == {"q1": 2 / 3, "q2": 0.0, "q3": 0.0}
    assert mean(per_query(rankings, judgements, "Recall@3")) == 2 / 9


def test_average_precision_worked_out_by_hand():
    rankings = {"q1": ["a", "b", "c", "d"], "q2": ["a"], "q3": ["a", "a"]}
    judgements = relevant(q1="b d z", q2="x", q3="a")
    assert per_query(rankings, judgements, "MAP") == {"q1": (1 / 2 + 2 / 4) / 3, "q2": 0, "q3": 1}
    assert per_query(rankings, judgements, "MAP@3") == {"q1": 1 / 2 / 3, "q2": 0, "q3": 1}


def test_discounted_gains_worked_out_by_hand():
    rankings = {"q1": ["a", "b", "c", "c"], "q2": ["a"], "q3": ["a"]}
    judgements = {"q1": {"b": 1, "c": 3, "d": 0, "a": -1}, "q2": {"a": 2}, "q3": {"a": 0}}
    best = 3 / log2(2) + 1 / log2(3)
    assert per_query(rankings, judgements, "nDCG@3") == {
        "q1": pytest.approx((1 / log2(3) + 3 / log2(4)) / best),
        "q2": 1.0,
        "q3": 0.0,
    }
    assert per_query(rankings, judgements, "nDCG@4") == per_query(rankings, judgements, "nDCG@3")
    at_2 = per_query(rankings, judgements, "nDCG@2")["q1"]
    assert at_2 == pytest.approx(1 / log2(3) / best)
    assert per_query(rankings, judgements, "nDCG@1")["q1"] == 0.0


def test_only_ndcg_reads_the_degrees_of_relevance():
    assert is_graded("nDCG@10")
    assert not [name for name in ("MRR@10", "MAP", "MAP@10", "Recall@5") if is_graded(name)]


def test_the_mean_is_added_up_in_the_order_of_the_run():
    judgements = relevant(q3="y", q2="x", q1="b")
    values = per_query({"q1": ["a"], "q2": ["x"]}, judgements, "MRR@10")
    assert list(values) == ["q1", "q2", "q3"]


@pytest.mark.parametrize(
    "name", ["NDCG@10", "MRR", "nDCG", "MRR@", "MAP@", "MAP@0", "MRR@0", "MRR@x", "@10"]
)
def test_an_unknown_measure_is_refused(name):
    with pytest.raises(DataError) as refused:
        per_query({"q": ["a"]}, relevant(q="a"), name)
    assert str(refused.value) == (
        "measure: expected one of MRR, Success, Recall, nDCG, MAP, accuracy and @k, or MAP, "
        f"got {name}"
    )


def test_accuracy_is_success_by_answers():
    assert parse_measure("accuracy@20") == (success, 20)


def test_a_run_of_other_queries_is_refused():
    with pytest.raises(DataError, match="run: expected queries of the judgements, got none"):
        per_query({"q1": ["a"]}, relevant(q2="a"), "MRR@10")
