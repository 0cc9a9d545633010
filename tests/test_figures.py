"""Figures are drawn of what there is, with the same bytes each time."""

import pytest

from rocketqa.evaluation.figure_values import Sources
from rocketqa.evaluation.figures import (
    ReportFigure,
    bars,
    figure_lines,
    figures_of,
    lines,
    save,
    save_figures,
)

NOTHING = Sources("MRR@10", {}, {}, None, {}, {})


def curves():
    """Returns a figure with two lines."""
    return lines({"one": [(1, 2), (0, 1)], "two": [(0, 3)]}, "x", "y")


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
        return bars({"a": 1.0}, "y")

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
    [axes] = bars({"a": 12.345, "b": 1.0}, "MRR@10").axes
    assert [text.get_text() for text in axes.texts] == ["12.35", "1.00"]
