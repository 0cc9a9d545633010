"""Held-out labels say whether to denoise and to augment; each answer has its evidence."""

import numpy as np
import pytest

from rocketqa.evaluation.agreement import whether_to_augment, whether_to_denoise
from rocketqa.evaluation.calibration import HeldOutPairs


def pairs_of(labelled: list[float], others: list[float]) -> HeldOutPairs:
    """Returns pairs with these probabilities."""
    labels = [1] * len(labelled) + [0] * len(others)
    return HeldOutPairs(np.array(labels), np.array([*labelled, *others]))


@pytest.mark.parametrize(
    "labelled, others, answer, evidence",
    [
        (
            *([0.05, 0.2, 0.9, 0.95], [0.01, 0.02, 0.05, 0.1], "yes"),
            "75.0 % of 4 others and 25.0 % of 4 labelled ones are below 0.1 and would be "
            "negatives: 3 times as often; from 2 times on the answer is yes",
        ),
        # A passage on the threshold is no negative: 2 of 4 others are below it, 2 of 4 labelled.
        ([0.05, 0.05, 0.1, 0.9], [0.01, 0.02, 0.1, 0.9], "no", ": 1 times as often; "),
        ([0.05, 0.9], [0.05, 0.05], "yes", ": 2 times as often; "),
        ([0.1, 0.9], [0.0, 0.9], "yes", ": none is taken wrongly; "),
        ([0.5, 0.9], [0.1, 0.5], "unknown", ": none is taken; "),
    ],
)
def test_denoising_is_right_where_others_are_negatives_twice_as_often_as_labelled_passages(
    labelled, others, answer, evidence
):
    decision = whether_to_denoise(pairs_of(labelled, others), 0.1)
    assert decision.answer == answer
    assert evidence in decision.evidence
    assert decision.line() == f"denoise: {answer}: of the held-out pairs, {decision.evidence}"


@pytest.mark.parametrize(
    "labelled, others, answer, evidence",
    [
        (
            *([0.95, 0.91, 0.9, 0.1], [0.95, 0.9, 0.1, 0.1, 0.1], "yes"),
            "50.0 % of 4 labelled ones and 20.0 % of 5 others are above 0.9 and could be "
            "positives: 2.5 times as often; from 2 times on the answer is yes",
        ),
        ([0.95, 0.1], [0.95, 0.95, 0.1], "no", ": 0.75 times as often; "),
        ([0.1, 0.1], [0.95, 0.1], "no", ": 0 times as often; "),
        ([0.9, 0.1], [0.9, 0.1], "unknown", ": none is taken; "),
    ],
)
def test_augmentation_is_right_where_labelled_passages_are_positives_twice_as_often_as_others(
    labelled, others, answer, evidence
):
    decision = whether_to_augment(pairs_of(labelled, others), 0.9)
    assert decision.answer == answer
    assert evidence in decision.evidence


def test_the_table_has_the_answer_in_its_second_column_and_the_evidence_in_its_third():
    decision = whether_to_augment(pairs_of([0.95], [0.1]), 0.9)
    head, row = decision.table()
    assert head == ["question", "answer", "evidence"]
    assert row == ["augment", "yes", decision.evidence]
