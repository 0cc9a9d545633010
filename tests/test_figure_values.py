"""The values of the figures are read from literal files."""

import pytest

from rocketqa.evaluation.figure_values import (
    CurvePoint,
    curve_point,
    losses_of,
    read_sources,
    removed_by_rank,
    smoothed,
)
from rocketqa.evaluation.report_tables import Measured
from rocketqa.files.errors import DataError

MEASURED = [Measured("dual_encoder_0", "", "MRR@10", 0.3), Measured("bm25", "", "MRR@10", 0.2)]


def test_the_values_of_curves_and_models_are_percent_of_the_main_measure(tmp_path):
    for name, value in (("a", 0.25), ("b", 0.5)):
        (tmp_path / f"{name}.tsv").write_text(f"MRR@10\t{value}\n")
    points = [
        CurvePoint("4", "random", 15, tmp_path / "a.tsv"),
        CurvePoint("4", "random", 31, tmp_path / "b.tsv"),
        CurvePoint("6", "augmented", 0, tmp_path / "a.tsv"),
    ]
    log = tmp_path / "dual_encoder_0" / "train_log.tsv"
    sources = read_sources("MRR@10", MEASURED, points, None, [log])
    assert sources.measure == "MRR@10"
    assert sources.by_model == {"dual_encoder_0": 30.0, "bm25": 20.0}
    assert sources.figure_4 == {"random": [(15, 25.0), (31, 50.0)]}
    assert sources.figure_6 == {"augmented": [(0, 25.0)]}
    assert sources.logs == {"dual_encoder_0": log}


def test_a_point_without_the_measure_is_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("Recall@50\t0.5\n")
    with pytest.raises(DataError) as refused:
        read_sources("MRR@10", MEASURED, [CurvePoint("4", "random", 15, path)], None, [])
    assert str(refused.value) == f"{path}: expected a line of MRR@10, got none"


@pytest.mark.parametrize(
    "figure, x, message",
    [
        ("5", "15", "--curve: expected figure 4 or 6, got 5"),
        ("4", "many", "--curve: expected a number as X, got many"),
    ],
)
def test_a_point_of_another_figure_or_without_a_number_is_refused(figure, x, message):
    with pytest.raises(DataError) as refused:
        curve_point(figure, "random", x, "a.tsv")
    assert str(refused.value) == message


def test_the_bars_of_figure_5_are_percent_by_range_of_ranks(tmp_path):
    path = tmp_path / "by_rank.tsv"
    path.write_text(
        "first_rank\tlast_rank\tunlabelled\tremoved\tshare_removed\ta\tb\tc\td\n"
        "1\t1\t4\t3\t0.75\t\t\t\t\n2\t10\t9\t6\t0.5\t\t\t\t\n101\tmore\t4\t1\t0.25\t\t\t\t\n"
    )
    assert removed_by_rank(path) == {"1": 75.0, "2-10": 50.0, "101+": 25.0}


def test_losses_are_those_of_the_log(tmp_path):
    path = tmp_path / "train_log.tsv"
    path.write_text("step\tloss\tlearning_rate\n1\t3.0\t0.1\n2\t2.5\t0.2\n")
    assert losses_of(path) == [(1.0, 3.0), (2.0, 2.5)]


def test_smoothed_curves_have_at_most_50_points_that_are_means_of_equal_parts():
    assert smoothed([(1.0, 4.0), (2.0, 2.0)]) == [(1.0, 4.0), (2.0, 2.0)]
    points = smoothed([(float(x), float(x)) for x in range(100)])
    assert points[:2] == [(0.5, 0.5), (2.5, 2.5)]
    assert len(points) == 50
