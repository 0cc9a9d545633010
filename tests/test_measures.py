"""Measures of rankings, by hand."""

import pytest

from rocketqa.evaluation.measures import mean, parse_measure, per_query, success
from rocketqa.files.errors import DataError


def test_measures_of_a_run_worked_out_by_hand():
    rankings = {"q1": ["a", "b", "c"], "q2": ["d", "e"]}
    judgements = {"q1": ["b", "c", "z"], "q2": ["x"], "q3": ["y"]}
    assert per_query(rankings, judgements, "MRR@10") == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "MRR@1") == {"q1": 0.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "Success@2") == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, judgements, "Recall@3") == {"q1": 2 / 3, "q2": 0.0, "q3": 0.0}
    assert mean(per_query(rankings, judgements, "Recall@3")) == 2 / 9


def test_the_mean_is_added_up_in_the_order_of_the_run():
    judgements = {"q3": ["y"], "q2": ["x"], "q1": ["b"]}
    values = per_query({"q1": ["a"], "q2": ["x"]}, judgements, "MRR@10")
    assert list(values) == ["q1", "q2", "q3"]


@pytest.mark.parametrize("name", ["NDCG@10", "MRR", "MRR@", "MRR@0", "MRR@x", "@10"])
def test_an_unknown_measure_is_refused(name):
    with pytest.raises(DataError) as refused:
        per_query({"q": ["a"]}, {"q": ["a"]}, name)
    assert str(refused.value) == (
        f"measure: expected one of MRR, Success, Recall, accuracy and @k, got {name}"
    )


def test_accuracy_is_success_by_answers():
    assert parse_measure("accuracy@20") == (success, 20)


def test_a_run_of_other_queries_is_refused():
    with pytest.raises(DataError, match="run: expected queries of the judgements, got none"):
        per_query({"q1": ["a"]}, {"q2": ["a"]}, "MRR@10")
