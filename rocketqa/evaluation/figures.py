"""The paper's figures with our values, and some of our own, as PNG and SVG.

stages      the measure of each model
figure4     the measure by the number of random negatives
figure5     the share of unlabelled passages that denoising removes, by rank
figure6     the measure by the number of rows of augmented data
training    the loss of each training by step, in nats

Of a denoising report, beside its tables:

reliability how often held-out pairs are labelled, by the probability that they are relevant
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rocketqa.evaluation.figure_values import (
    Points,
    Sources,
    losses_of,
    reliability_points,
    removed_by_rank,
    smoothed,
)
from rocketqa.evaluation.tables import Table

WIDTH = 6.4  # inches
HEIGHT = 3.6  # inches
DOTS_PER_INCH = 150
TITLE_SIZE = 11  # points
LONGEST_LEVEL_NAME = 8  # characters; longer names of bars are turned

Values = TypeVar("Values")


class Labels(NamedTuple):
    """What a figure says besides its values; an axis has its unit in brackets."""

    title: str
    x: str
    y: str


class ReportFigure(NamedTuple):
    """A figure that can be drawn."""

    name: str
    caption: str
    draw: Callable[[], Figure]


def figures_of(sources: Sources) -> list[ReportFigure]:
    """Returns the figures that there are values for."""
    measure = f"{sources.measure} (percent)"
    figures = []
    if sources.by_model:
        labels = Labels("Retrieval quality of each model", "model", measure)
        figures.append(_figure("stages", labels, bars, sources.by_model))
    if sources.figure_4:
        title = "Retrieval quality by number of random negatives (the paper's figure 4)"
        labels = Labels(title, "random negatives of a query (passages)", measure)
        figures.append(_figure("figure4", labels, lines, sources.figure_4))
    if sources.by_rank:
        labels = Labels(
            "Unlabelled passages that denoising removes (the paper's figure 5)",
            "rank in the run of the first dual encoder",
            "removed (percent of unlabelled)",
        )
        figures.append(_figure("figure5", labels, removal_bars, sources.by_rank))
    if sources.figure_6:
        title = "Retrieval quality by size of augmented data (the paper's figure 6)"
        labels = Labels(title, "augmented data (training rows)", measure)
        figures.append(_figure("figure6", labels, lines, sources.figure_6))
    logs = {model: log for model, log in sources.logs.items() if losses_of(log)}
    if logs:
        labels = Labels("Training loss of each model", "training step", "loss (nats)")
        figures.append(_figure("training", labels, training_curves, logs))
    return figures


def reliability_figure(table: Table) -> ReportFigure:
    """Returns the reliability curve of the table of `rocketqa.evaluation.calibration`.

    A calibrated cross encoder is on the diagonal; below it, fewer pairs are labelled than it says.
    """
    labels = Labels(
        "Reliability of the cross encoder on held-out pairs",
        "P(relevant), the mean of the pairs of a tenth (probability)",
        "labelled (share of the pairs)",
    )
    curves = {"calibrated": [(0.0, 0.0), (1.0, 1.0)], "cross encoder": reliability_points(table)}
    return _figure("reliability", labels, lines, curves)


def _figure(
    name: str, labels: Labels, draw: Callable[[Values, Labels], Figure], values: Values
) -> ReportFigure:
    return ReportFigure(name, labels.title, partial(draw, values, labels))


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


def bars(values: Mapping[str, float], labels: Labels) -> Figure:
    """Returns a figure with a bar for each name, its value on top."""
    figure = Figure()
    axes = _labelled_axes(figure, labels)
    drawn_bars = axes.bar(list(values), list(values.values()), color="#4472a8")
    axes.bar_label(drawn_bars, fmt="%.2f", padding=2)
    highest = max(values.values())
    axes.set_ylim(0, highest * 1.15 if highest else 1)
    if max(map(len, values)) > LONGEST_LEVEL_NAME:
        axes.tick_params(axis="x", labelrotation=20)
    return figure


def lines(curves: Mapping[str, Points], labels: Labels, with_markers: bool = True) -> Figure:
    """Returns a figure with a line for each name through its points."""
    figure = Figure()
    axes = _labelled_axes(figure, labels)
    for name, points in curves.items():
        xs, ys = zip(*sorted(points))
        axes.plot(xs, ys, marker="o" if with_markers else None, label=name)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
    return figure


def _labelled_axes(figure: Figure, labels: Labels) -> Axes:
    axes = figure.subplots()
    axes.set_title(labels.title, fontsize=TITLE_SIZE)
    axes.set_xlabel(labels.x)
    axes.set_ylabel(labels.y)
    return axes


def removal_bars(by_rank: Path, labels: Labels) -> Figure:
    """Returns figure 5 of the by_rank.tsv of a denoising report."""
    return bars(removed_by_rank(by_rank), labels)


def training_curves(logs: Mapping[str, Path], labels: Labels) -> Figure:
    """Returns a figure with the smoothed loss of each model by step."""
    curves = {model: smoothed(losses_of(log)) for model, log in logs.items()}
    return lines(curves, labels, with_markers=False)
