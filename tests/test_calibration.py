"""Calibration is measured on held-out pairs, by bins of probability."""

import numpy as np
import pytest

from rocketqa.evaluation.calibration import (
    HeldOutPairs,
    read_held_out,
    reliability,
    with_wrong_negatives,
    with_wrong_positives,
)
from rocketqa.files.errors import DataError

HEAD = "query_id\tpassage_id\tlabel\tprobability\n"


def pairs_of(*pairs: tuple[int, float]) -> HeldOutPairs:
    """Returns pairs of literal labels and probabilities."""
    labels, probabilities = zip(*pairs)
    return HeldOutPairs(np.array(labels), np.array(probabilities))


def test_a_model_that_is_right_as_often_as_it_says_has_no_error():
    calibrated = [(1, 0.75)] * 3 + [(0, 0.75)] + [(0, 0.05)] * 19 + [(1, 0.05)]
    assert pairs_of(*calibrated).error() == pytest.approx(0.0)
    sure = [(1, 1.0)] * 3 + [(0, 1.0)]
    assert pairs_of(*sure).error() == pytest.approx(0.25)
    both = pairs_of(*sure, *calibrated[4:])
    assert both.error() == pytest.approx(0.25 * 4 / 24)


def test_the_reliability_table_has_the_tenths_that_have_pairs():
    head, *rows = reliability(pairs_of((0, 0.0), (1, 0.08), (1, 1.0), (1, 0.9), (0, 0.5)))
    assert head == ["from", "below", "pairs", "mean_probability", "share_labelled"]
    assert rows == [[0.0, 0.1, 2, 0.04, 0.5], [0.5, 0.6, 1, 0.5, 0.0], [0.9, 1.0, 2, 0.95, 1.0]]


def test_thresholds_get_the_share_of_held_out_labelled_passages_below_them():
    pairs = pairs_of((1, 0.05), (1, 0.1), (1, 0.2), (1, 0.9), (0, 0.01))
    table = with_wrong_negatives([["threshold", "negatives"], [0.1, 7], [0.5, 9]], pairs)
    assert table[1:] == [[0.1, 7, 0.25], [0.5, 9, 0.75]]


def test_thresholds_get_the_share_of_held_out_others_above_them():
    pairs = pairs_of((1, 0.95), (0, 0.5), (0, 0.9), (0, 0.95), (0, 0.1))
    table = with_wrong_positives([["threshold", "queries"], [0.5, 9], [0.9, 7]], pairs)
    assert table[0] == ["threshold", "queries", "held_out_others_taken_for_positives"]
    assert table[1:] == [[0.5, 9, 0.5], [0.9, 7, 0.25]]


@pytest.mark.parametrize(
    "lines, fault",
    [
        ("q\tp\t2\t0.5\n", ":2: expected label 0 or 1 and a probability, got 2 0.5"),
        ("q\tp\t1\t1.5\n", ":2: expected label 0 or 1 and a probability, got 1 1.5"),
        ("q\tp\t1\t0.5\n", ": expected pairs of both labels, got 1 of one"),
    ],
)
def test_what_is_no_file_of_held_out_pairs_is_refused(tmp_path, lines, fault):
    path = tmp_path / "held_out.tsv"
    path.write_text(HEAD + lines)
    with pytest.raises(DataError, match="held_out.tsv") as raised:
        read_held_out(path)
    assert str(raised.value) == f"{path}{fault}"
