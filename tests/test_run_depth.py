"""A measure beyond the depth of its run is left out or said, not printed as if it were measured."""

import json

import pytest

from rocketqa.evaluation.rankings import RankedRun
from rocketqa.evaluation.run_depth import (
    deepest_rank,
    depth_of,
    measures_of_answers,
    measures_of_labels,
)

DEFAULT = ["MRR@10", "Success@1", "Success@50", "Success@1000", "Recall@50", "Recall@1000"]


def run_made_by(tmp_path, verb: str, **flags: object):
    """Returns the path of a run whose manifest names a verb and its flags."""
    job = {"verb": verb, "flags": flags, "inputs": {}}
    (tmp_path / "a.run.meta.json").write_text(json.dumps({"job": job, "outputs": {}}))
    return tmp_path / "a.run"


@pytest.mark.parametrize(
    "verb, depth, longest, expected",
    [
        ("retrieve", 1000, 600, 1000),  # the collection has no more passages
        ("bm25", 1000, 600, 1000),  # no other passage has a word of the query
        ("score", 50, 50, 50),
        ("score", 50, 1000, 50),  # as it was re-ranked, whatever the file holds
        ("score", 50, 20, 20),
        ("score", None, 100, 100),
        ("pool", 1000, 100, 100),
    ],
)
def test_the_manifest_tells_how_deep_a_run_is(tmp_path, verb, depth, longest, expected):
    assert depth_of(run_made_by(tmp_path, verb, depth=depth), longest) == expected


def test_a_run_without_a_manifest_is_as_deep_as_its_longest_ranking(tmp_path):
    assert depth_of(tmp_path / "a.run", 100) == 100


def test_a_run_of_100_passages_has_no_recall_at_1000(tmp_path):
    remarks: list[str] = []
    run = tmp_path / "a.run"
    kept = measures_of_labels(run, 100, DEFAULT, "strict", remarks.append)
    assert kept == ["MRR@10", "Success@1", "Success@50", "Recall@50"]
    lacking = "Success@1000, Recall@1000"
    assert remarks == [f"{run}: no {lacking}: the run has at most 100 passages for a query"]


def test_of_a_run_of_two_passages_the_first_ranks_are_measured_and_the_end_is_said(tmp_path):
    remarks: list[str] = []
    run = tmp_path / "a.run"
    measures = ["MRR@10", "nDCG@10", "MAP@5", "MAP", "MRR@2"]
    assert measures_of_labels(run, 2, measures, "strict", remarks.append) == measures
    assert remarks == [f"{run}: MRR@10, nDCG@10, MAP@5: the run has no passage beyond rank 2"]


def test_official_and_released_mode_leave_nothing_out_but_say_it(tmp_path):
    remarks: list[str] = []
    run = tmp_path / "a.run"
    assert measures_of_labels(run, 10, DEFAULT, "official", remarks.append) == DEFAULT
    ranked_run = RankedRun({"q1": ["a"]}, 1)
    accuracies = ["accuracy@1", "accuracy@5"]
    answers = ["q1"]
    kept = measures_of_answers(run, ranked_run, answers, accuracies, "released", remarks.append)
    assert kept == accuracies
    assert remarks == [
        f"{run}: {', '.join(DEFAULT[2:])}: the run has no passage beyond rank 10",
        f"{run}: accuracy@5: the run has no passage beyond rank 1",
    ]


@pytest.mark.parametrize("mode, kept", [("strict", [1, 2]), ("official", [1])])
def test_by_answers_the_longest_ranking_or_dprs_first_one_is_the_depth(tmp_path, mode, kept):
    remarks: list[str] = []
    ranked_run = RankedRun({"q9": ["a", "b"], "q1": ["a"], "q2": ["a", "b"]}, 2)
    accuracies = ["accuracy@1", "accuracy@2", "accuracy@3"]
    left = measures_of_answers(
        tmp_path / "a.run", ranked_run, ["q0", "q1", "q2"], accuracies, mode, remarks.append
    )
    assert left == [f"accuracy@{k}" for k in kept]
    assert len(remarks) == 1


def test_the_deepest_rank_is_the_largest_k():
    assert deepest_rank(["accuracy@5", "accuracy@100", "accuracy@20"]) == 100
