"""Whether to denoise and to augment, by held-out labelled pairs: do the decisions of the cross
encoder agree with their labels?

Each step has a rule that takes passages:

    denoise     a passage below `max_negative` is a negative; it should be no labelled one
    augment     a passage above `min_positive` can be a positive; it should be a labelled one

The pairs have a side that the rule should take and one that it should not. By how many times more
often it takes the right side, by so many times the odds of a right decision rise above those of a
passage that was taken without looking. Unlabelled passages count as irrelevant, so the true number
is higher. It says nothing about queries of another kind: whether the collection answers unlabelled
ones, pairs of labelled ones cannot tell.

A cross encoder can be surer than it is right. So `max_negative` falls as far as at most MOST_WRONG
of the labelled pairs are below it. It can also be right and never sure. So `min_positive` falls, by
tenths, as far as LEAST_RIGHT of the labelled pairs are above it, but not as far as more than
MOST_WRONG of the others are. It does not rise: many unlabelled passages above it are relevant.
# Deviation: the paper always denoises and augments, with fixed thresholds. Switches, THRESHOLDS and
HELD_OUT, paper and 0 in `marco.env` and `nq.env`.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from rocketqa.evaluation.calibration import DIGITS, HeldOutPairs
from rocketqa.evaluation.denoising_counts import TENTHS
from rocketqa.evaluation.tables import Table

ENOUGH = 2  # times; below it the rule hardly knows more than chance
MOST_WRONG = 0.05  # share of the pairs that a rule should not take
LEAST_RIGHT = 0.1  # share of the labelled pairs
YES, NO, UNKNOWN = "yes", "no", "unknown"
LABELLED, OTHERS = "labelled ones", "others"


class Decision(NamedTuple):
    """Whether to take a step, with the evidence.

    right, wrong: how many of the pairs that the rule should and should not take there are, and the
    shares of them that it takes.
    """

    step: str  # "denoise" or "augment"
    threshold: float
    rule: str  # which passages are taken, and what they become
    right_kind: str
    right: int
    right_share: float
    wrong_kind: str
    wrong: int
    wrong_share: float

    @property
    def answer(self) -> str:
        """`unknown` where the rule takes no pair at all."""
        if not self.right_share and not self.wrong_share:
            return UNKNOWN
        return YES if self.right_share >= ENOUGH * self.wrong_share else NO

    @property
    def evidence(self) -> str:
        """What was counted, and what follows from it, in words."""
        return (
            f"{100 * self.right_share:.1f} % of {self.right:,} {self.right_kind} and "
            f"{100 * self.wrong_share:.1f} % of {self.wrong:,} {self.wrong_kind} are {self.rule}: "
            f"{self._times()}; from {ENOUGH} times on the answer is yes"
        )

    def _times(self) -> str:
        if self.wrong_share:
            return f"{self.right_share / self.wrong_share:.3g} times as often"
        return "none is taken wrongly" if self.right_share else "none is taken"

    def line(self) -> str:
        """Returns the line of the log."""
        return f"{self.step}: {self.answer}: of the held-out pairs, {self.evidence}"


def decision_table(decisions: Iterable[Decision]) -> Table:
    """Returns the table of decision.tsv."""
    rows = [[each.step, each.answer, each.evidence, each.threshold] for each in decisions]
    return [["step", "answer", "evidence", "threshold"], *rows]


def lower_max_negative(pairs: HeldOutPairs, max_negative: float) -> float:
    """Returns the threshold, or the highest one below it that is above at most MOST_WRONG of the
    labelled pairs.
    """
    labelled = np.sort(pairs.probabilities[pairs.labels == 1])
    highest = float(labelled[int(MOST_WRONG * len(labelled))])
    rounded_down = math.floor(highest * 10**DIGITS) / 10**DIGITS
    return min(max_negative, rounded_down or highest)


def lower_min_positive(pairs: HeldOutPairs, min_positive: float) -> float:
    """Returns the threshold, or a lower one above which LEAST_RIGHT of the labelled pairs are: the
    highest such tenth, or, where more than MOST_WRONG of the others are above that, the lowest
    above which so many are not. Where there is none, it returns the threshold.
    """
    lower = (tenth for tenth in reversed(TENTHS) if tenth < min_positive)
    for threshold in (min_positive, *lower):
        if pairs.above(threshold, 1) >= LEAST_RIGHT:
            break
    lowered = max(threshold, _above_most_others(pairs))
    is_right = pairs.above(lowered, 1) >= LEAST_RIGHT
    return min(lowered, min_positive) if is_right else min_positive


def _above_most_others(pairs: HeldOutPairs) -> float:
    """Returns the lowest threshold that at most MOST_WRONG of the unlabelled pairs are above."""
    highest_first = np.sort(pairs.probabilities[pairs.labels == 0])[::-1]
    lowest = float(highest_first[int(MOST_WRONG * len(highest_first))])
    return math.ceil(lowest * 10**DIGITS) / 10**DIGITS


def whether_to_denoise(pairs: HeldOutPairs, max_negative: float) -> Decision:
    """Returns whether negatives below a threshold agree with the labels of the pairs."""
    return Decision(
        step="denoise",
        threshold=max_negative,
        rule=f"below {max_negative:g} and would be negatives",
        right_kind=OTHERS,
        right=pairs.count(0),
        right_share=pairs.below(max_negative, 0),
        wrong_kind=LABELLED,
        wrong=pairs.count(1),
        wrong_share=pairs.below(max_negative, 1),
    )


def whether_to_augment(pairs: HeldOutPairs, min_positive: float) -> Decision:
    """Returns whether positives above a threshold agree with the labels of the pairs."""
    return Decision(
        step="augment",
        threshold=min_positive,
        rule=f"above {min_positive:g} and could be positives",
        right_kind=LABELLED,
        right=pairs.count(1),
        right_share=pairs.above(min_positive, 1),
        wrong_kind=OTHERS,
        wrong=pairs.count(0),
        wrong_share=pairs.above(min_positive, 0),
    )
