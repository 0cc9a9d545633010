"""Figures are drawn of what there is, with the same bytes each time."""

import pytest

from rocketqa.evaluation.figure_values import Sources
from rocketqa.evaluation.figures import (
    HEIGHT,
    WIDTH,
    Labels,
    ReportFigure,
    bars,
    figure_lines,
    figures_of,
    lines,
    reliability_figure,
    save,
    save_figures,
)

LABELS = Labels("title", "x", "y")
NOTHING = Sources("MRR@10", {}, {}, None, {}, {})


def curves():
    """Returns a figure with two lines."""
    return lines({"one": [(1, 2), (0, 1)], "two": [(0, 3)]}, LABELS)


def test_the_same_figure_has_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save(curves(), tmp_path / folder, "figure")
    for name in ("figure.png", "figure.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    "sources, names",
    [
        (NOTHING, []),
        (NOTHING._replace(by_model={"dual_encoder_0": 30.0}), ["stages"]),
        (NOTHING._replace(figure_6={"augmented": [(0.0, 1.0)]}), ["figure6"]),
    ],
)
def test_a_figure_without_values_is_left_out(sources, names):
    assert [figure.name for figure in figures_of(sources)] == names


def test_figures_that_are_there_are_drawn_again_only_on_request(tmp_path):
    draws = []

    def draw():
        draws.append(1)
        return bars({"a": 1.0}, LABELS)

    figures = [ReportFigure("stages", "The measure by stage", draw)]
    save_figures(figures, tmp_path / "figures", redraw=False)
    save_figures(figures, tmp_path / "figures", redraw=False)
    assert len(draws) == 1
    save_figures(figures, tmp_path / "figures", redraw=True)
    assert len(draws) == 2
    (tmp_path / "figures" / "stages.svg").unlink()
    save_figures(figures, tmp_path / "figures", redraw=False)
    assert len(draws) == 3


def test_a_report_shows_its_figures_with_their_captions():
    figures = [ReportFigure("stages", "The measure by stage", curves)]
    assert figure_lines(figures) == ["", "![The measure by stage](figures/stages.png)"]


def test_lines_are_drawn_by_x_and_bars_carry_their_values():
    [axes] = curves().axes
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [[0, 1], [0]]
    [axes] = bars({"a": 12.345, "b": 1.0}, LABELS).axes
    assert [text.get_text() for text in axes.texts] == ["12.35", "1.00"]


def test_the_reliability_curve_goes_through_the_tenths_beside_the_diagonal():
    head = ["from", "below", "pairs", "mean_probability", "share_labelled"]
    rows = [[0.9, 1.0, 8, 0.95, 0.75], [0.0, 0.1, 9, 0.04, 0.0]]
    figure = reliability_figure([head, *rows])
    [axes] = figure.draw().axes
    diagonal, curve = axes.get_lines()
    assert (diagonal.get_label(), curve.get_label()) == ("calibrated", "cross encoder")
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0.0, 1.0]
    assert list(curve.get_xdata()) == [0.04, 0.95]
    assert list(curve.get_ydata()) == [0.0, 0.75]
    assert axes.get_title() == figure.caption
    assert axes.get_xlabel().endswith("(probability)")
    assert axes.get_ylabel() == "labelled (share of the pairs)"


def test_a_training_without_a_step_has_no_curve(tmp_path):
    log = tmp_path / "train_log.tsv"
    log.write_text("step\tloss\n")
    assert figures_of(NOTHING._replace(logs={"dual_encoder_0": log})) == []


def test_every_figure_has_a_title_and_every_axis_a_label_with_its_unit(tmp_path):
    by_rank, log = tmp_path / "by_rank.tsv", tmp_path / "train_log.tsv"
    by_rank.write_text("a\tb\tc\td\te\tf\tg\th\ti\n1\t1\t4\t3\t0.75\t\t\t\t\n")
    log.write_text("step\tloss\n1\t3.0\n")
    points = {"random": [(15.0, 30.0)]}
    sources = Sources("MRR@10", {"bm25": 20.0}, points, by_rank, points, {"model": log})
    shown = {}
    for figure in figures_of(sources):
        [axes] = figure.draw().axes
        assert axes.get_title() == figure.caption
        shown[figure.name] = (axes.get_xlabel(), axes.get_ylabel())
    assert shown == {
        "stages": ("model", "MRR@10 (percent)"),
        "figure4": ("random negatives of a query (passages)", "MRR@10 (percent)"),
        "figure5": (
            "rank in the run of the first dual encoder",
            "removed (percent of unlabelled)",
        ),
        "figure6": ("augmented data (training rows)", "MRR@10 (percent)"),
        "training": ("training step", "loss (nats)"),
    }


def test_what_a_figure_says_lies_within_its_edges(tmp_path):
    models = [
        "bm25",
        "start",
        "dual_encoder_0",
        "dual_encoder_1",
        "dual_encoder_2",
        "cross_encoder",
    ]
    points = {"with_denoised_hard_negatives": [(0.0, 1.0), (1.0, 2.0)]}
    sources = NOTHING._replace(by_model=dict.fromkeys(models, 50.0), figure_4=points)
    for report_figure in figures_of(sources):
        figure = report_figure.draw()
        save(figure, tmp_path, report_figure.name)
        needed = figure.get_tightbbox()
        assert needed.x0 >= 0 and needed.y0 >= 0
        assert needed.x1 <= WIDTH and needed.y1 <= HEIGHT
