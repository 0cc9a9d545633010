"""The paper's figures with our values, as PNG and SVG. matplotlib comes with PaddleNLP.

stages      the measure of each model
figure4     the measure by the number of random negatives
figure5     the share of unlabelled passages that denoising removes, by rank
figure6     the measure by the number of rows of augmented data
training    the loss of each training by step
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from rocketqa.evaluation.figure_values import (
    Points,
    Sources,
    losses_of,
    removed_by_rank,
    smoothed,
)

WIDTH = 6.4  # inches
HEIGHT = 3.6  # inches
DOTS_PER_INCH = 150


class ReportFigure(NamedTuple):
    """A figure that can be drawn."""

    name: str
    caption: str
    draw: Callable[[], Figure]


def figures_of(sources: Sources) -> list[ReportFigure]:
    """Returns the figures that there are values for."""
    measure = sources.measure
    figures = []
    if sources.by_model:
        draw = partial(bars, sources.by_model, measure)
        figures.append(ReportFigure("stages", "The measure by stage", draw))
    if sources.figure_4:
        caption = "Figure 4: the number of random negatives"
        draw = partial(lines, sources.figure_4, "negatives a query", measure)
        figures.append(ReportFigure("figure4", caption, draw))
    if sources.by_rank:
        caption = "Figure 5: unlabelled passages that denoising removes, by rank"
        draw = partial(removal_bars, sources.by_rank)
        figures.append(ReportFigure("figure5", caption, draw))
    if sources.figure_6:
        caption = "Figure 6: the size of the augmented data"
        draw = partial(lines, sources.figure_6, "rows of augmented data", measure)
        figures.append(ReportFigure("figure6", caption, draw))
    if sources.logs:
        draw = partial(training_curves, sources.logs)
        figures.append(ReportFigure("training", "Training curves", draw))
    return figures


def save_figures(figures: Iterable[ReportFigure], directory: Path, redraw: bool) -> None:
    """Writes the figures into a directory. Unless `redraw`, those that are there are kept."""
    directory.mkdir(exist_ok=True)
    for figure in figures:
        paths = [directory / f"{figure.name}.{ending}" for ending in ("png", "svg")]
        if redraw or not all(path.is_file() for path in paths):
            save(figure.draw(), directory, figure.name)


def figure_lines(figures: Iterable[ReportFigure]) -> list[str]:
    """Returns the lines of report.md that show the figures."""
    shown = []
    for figure in figures:
        shown += ["", f"![{figure.caption}](figures/{figure.name}.png)"]
    return shown


def save(figure: Figure, directory: Path, name: str) -> None:
    """Writes NAME.png and NAME.svg, with the same bytes for the same figure."""
    figure.set_size_inches(WIDTH, HEIGHT)
    figure.tight_layout()
    png = directory / f"{name}.png"
    figure.savefig(png, dpi=DOTS_PER_INCH, metadata={"Software": None})
    with matplotlib.rc_context({"svg.hashsalt": "rocketqa"}):
        figure.savefig(directory / f"{name}.svg", metadata={"Date": None})


def bars(values: Mapping[str, float], y_label: str) -> Figure:
    """Returns a figure with a bar for each name, its value on top."""
    figure = Figure()
    axes = figure.subplots()
    drawn_bars = axes.bar(list(values), list(values.values()), color="#4472a8")
    axes.bar_label(drawn_bars, fmt="%.2f", padding=2)
    axes.set_ylabel(y_label)
    highest = max(values.values())
    axes.set_ylim(0, highest * 1.15 if highest else 1)
    axes.tick_params(axis="x", labelrotation=20)
    return figure


def lines(
    curves: Mapping[str, Points], x_label: str, y_label: str, with_markers: bool = True
) -> Figure:
    """Returns a figure with a line for each name through its points."""
    figure = Figure()
    axes = figure.subplots()
    for name, points in curves.items():
        xs, ys = zip(*sorted(points))
        axes.plot(xs, ys, marker="o" if with_markers else None, label=name)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
    return figure


def removal_bars(by_rank: Path) -> Figure:
    """Returns figure 5 of the by_rank.tsv of a denoising report."""
    return bars(removed_by_rank(by_rank), "removed, percent")


def training_curves(logs: Mapping[str, Path]) -> Figure:
    """Returns a figure with the smoothed loss of each model by step."""
    curves = {model: smoothed(losses_of(log)) for model, log in logs.items()}
    return lines(curves, "step", "loss", with_markers=False)
