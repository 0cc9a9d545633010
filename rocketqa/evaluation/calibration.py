"""Calibration of the cross encoder: how often pairs of held-out labelled queries are relevant where
it says so.

The pairs are those of `held_out.tsv` in its checkpoint, which it was not trained on (`rocketqa
train-cross-encoder --held-out`). Of a calibrated model, 8 in 10 pairs with a probability of some
0.8 are labelled. An unlabelled pair may be relevant all the same, so the share of labelled ones is
a lower bound.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.evaluation.tables import Table
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import PROBABILITY
from rocketqa.files.rows import Row, read_rows

COLUMNS = ["query_id", "passage_id", "label", "probability"]
BINS = 10
DIGITS = 4
# Columns of the tables of thresholds.
WRONG_NEGATIVES = "held_out_labelled_taken_for_negatives"
WRONG_POSITIVES = "held_out_others_taken_for_positives"


class HeldOutPairs(NamedTuple):
    """The labels of held-out pairs, 1 for relevant, and their probabilities, [N] both."""

    labels: np.ndarray
    probabilities: np.ndarray

    def bins(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of each bin that has pairs, and which pairs it has."""
        bin_of = np.minimum((self.probabilities * BINS).astype(int), BINS - 1)
        for place in range(BINS):
            here = bin_of == place
            if here.any():
                yield place, here

    def error(self) -> float:
        """Returns the expected calibration error: the mean over the pairs of how far the mean
        probability of a bin is from its share of labelled pairs.
        """
        total = 0.0
        for _, here in self.bins():
            gap = self.probabilities[here].mean() - self.labels[here].mean()
            total += abs(gap) * here.sum()
        return total / len(self.labels)

    def below(self, threshold: float, label: int) -> float:
        """Returns the share of the pairs with a label whose probability is below a threshold."""
        return float((self.probabilities[self.labels == label] < threshold).mean())

    def above(self, threshold: float, label: int) -> float:
        """Returns the share of the pairs with a label whose probability is above a threshold."""
        return float((self.probabilities[self.labels == label] > threshold).mean())

    def count(self, label: int) -> int:
        """Returns the number of pairs with a label."""
        return int((self.labels == label).sum())

    def line(self, max_negative: float) -> str:
        """Returns a line on the calibration, and on what the threshold removes."""
        removed = [100 * (1 - self.below(max_negative, label)) for label in (1, 0)]
        return (
            f"held-out pairs: expected calibration error {self.error():.4f}; the threshold "
            f"{max_negative:g} keeps {removed[0]:.1f} % of {self.count(1):,} labelled passages and "
            f"{removed[1]:.1f} % of {self.count(0):,} others from being negatives"
        )


def read_held_out(path: Path) -> HeldOutPairs:
    """Returns the pairs of held_out.tsv. Raises DataError where it is no such file, or does not
    have pairs of both labels.
    """
    labels: list[int] = []
    probabilities: list[float] = []
    for row in _rows_of(path):
        _, _, label, probability = row.columns
        try:
            labels.append(("0", "1").index(label))
            probabilities.append(PROBABILITY.read(probability))
        except ValueError:
            raise DataError(
                f"{row.place}: expected label 0 or 1 and a probability, got {label} {probability}"
            ) from None
    if len(set(labels)) < 2:
        raise DataError(f"{path}: expected pairs of both labels, got {len(labels)} of one")
    return HeldOutPairs(np.array(labels), np.array(probabilities))


def held_out_queries(path: Path) -> set[str]:
    """Returns the query ids of held_out.tsv."""
    return {row.columns[0] for row in _rows_of(path)}


def _rows_of(path: Path) -> Iterator[Row]:
    """Yields the rows of held_out.tsv behind its heading."""
    for row in read_rows(path, (len(COLUMNS),)):
        if row.columns != COLUMNS:
            yield row


def reliability(pairs: HeldOutPairs) -> Table:
    """Returns the reliability table: the pairs by tenths of P(relevant)."""
    table: Table = [["from", "below", "pairs", "mean_probability", "share_labelled"]]
    for place, here in pairs.bins():
        mean = round(float(pairs.probabilities[here].mean()), DIGITS)
        share = round(float(pairs.labels[here].mean()), DIGITS)
        table.append([place / BINS, (place + 1) / BINS, int(here.sum()), mean, share])
    return table


def with_wrong_negatives(thresholds: Table, pairs: HeldOutPairs) -> Table:
    """Returns the table of thresholds below which a passage is a negative, with a further column:
    the share of the held-out labelled passages that would be one.
    """
    return _with_shares(thresholds, WRONG_NEGATIVES, lambda edge: pairs.below(edge, 1))


def with_wrong_positives(thresholds: Table, pairs: HeldOutPairs) -> Table:
    """Returns the table of thresholds above which a passage is a positive, with a further column:
    the share of the held-out passages without a label that would be one.
    """
    return _with_shares(thresholds, WRONG_POSITIVES, lambda edge: pairs.above(edge, 0))


def _with_shares(thresholds: Table, column: str, share_of: Callable[[float], float]) -> Table:
    """Returns a table whose first column are thresholds, with a further column of shares."""
    head, *rows = thresholds
    table: Table = [[*head, column]]
    for row in rows:
        [edge, *_] = row
        table.append([*row, round(share_of(float(str(edge))), DIGITS)])
    return table
