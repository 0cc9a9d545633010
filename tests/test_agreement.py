"""Held-out labels say whether to denoise and to augment, and with which threshold to denoise; each
answer has its evidence.
"""

import numpy as np
import pytest

from rocketqa.evaluation.agreement import (
    decision_table,
    lower_max_negative,
    lower_min_positive,
    whether_to_augment,
    whether_to_denoise,
)
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


@pytest.mark.parametrize(
    "labelled, lowered",
    [
        ([0.2] * 20, 0.1),
        ([0.03, 0.07, *[0.5] * 18], 0.07),  # 1 of 20 may be below it
        ([0.03, 0.03, *[0.5] * 18], 0.03),  # none is below it, but one more would be too many
        ([0.03, 0.1, *[0.5] * 18], 0.1),
        ([0.03, *[0.5] * 18], 0.03),  # of 19, none may be
        ([0.03456, *[0.5] * 18], 0.0345),  # rounded down
        ([0.00003, *[0.5] * 18], 0.00003),
    ],
)
def test_the_lower_threshold_falls_until_it_takes_a_twentieth_of_the_labelled_pairs(
    labelled, lowered
):
    assert lower_max_negative(pairs_of(labelled, [0.01, 0.5]), 0.1) == lowered


@pytest.mark.parametrize(
    "labelled, others, lowered",
    [
        ([0.91, *[0.85] * 9], [0.1], 0.9),
        ([0.9, *[0.85] * 9], [0.1], 0.8),  # none is above 0.9
        ([0.91, *[0.75] * 10], [0.1], 0.7),  # 1 of 11 is too few
        ([0.75], [0.71, *[0.1] * 19], 0.7),  # 1 of 20 others may be above it
        ([0.75], [0.71, 0.71, *[0.1] * 19], 0.71),  # not as far as 2 of 21 are
        ([0.75], [0.71003, 0.71003, *[0.1] * 19], 0.7101),  # rounded up
        ([0.66, *[0.61] * 9], [*[0.65] * 4, *[0.1] * 16], 0.65),
        ([0.61] * 10, [*[0.65] * 4, *[0.1] * 16], 0.9),  # no labelled one is above 0.65
        ([0.75], [0.95, 0.95], 0.9),
        ([0.05], [0.01], 0.9),
    ],
)
def test_the_upper_threshold_falls_until_it_takes_a_tenth_of_the_labelled_pairs(
    labelled, others, lowered
):
    assert lower_min_positive(pairs_of(labelled, others), 0.9) == lowered


def test_the_table_has_step_answer_evidence_and_threshold():
    pairs = pairs_of([0.95], [0.1])
    decisions = [whether_to_denoise(pairs, 0.05), whether_to_augment(pairs, 0.9)]
    head, *rows = decision_table(decisions)
    assert head == ["step", "answer", "evidence", "threshold"]
    assert rows == [
        ["denoise", "unknown", decisions[0].evidence, 0.05],
        ["augment", "yes", decisions[1].evidence, 0.9],
    ]
