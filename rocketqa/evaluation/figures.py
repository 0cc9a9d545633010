"""The paper's figures from our flights, as PNG and SVG (matplotlib, which PaddleNLP brings)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from rocketqa.files.rows import read_rows

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 6.4, 3.6  # inches
SMOOTHED = 50  # points of a training curve at most: means over equal parts


def save(figure: Figure, directory: Path, name: str) -> None:
    """Writes NAME.png and NAME.svg, the same bytes for the same figure."""
    figure.set_size_inches(WIDTH, HEIGHT)
    figure.tight_layout()
    figure.savefig(directory / f"{name}.png", dpi=150, metadata={"Software": None})
    with matplotlib.rc_context({"svg.hashsalt": "rocketqa"}):
        figure.savefig(directory / f"{name}.svg", metadata={"Date": None})


def bars(values: Mapping[str, float], y_label: str) -> Figure:
    """Returns a bar for each name, its value on top: the measure by stage."""
    figure = Figure()
    axes = figure.subplots()
    drawn = axes.bar(list(values), list(values.values()), color="#4472a8")
    axes.bar_label(drawn, fmt="%.2f", padding=2)
    axes.set_ylabel(y_label)
    axes.set_ylim(0, max(values.values()) * 1.15 or 1)
    axes.tick_params(axis="x", labelrotation=20)
    return figure


def lines(curves: Mapping[str, Points], x_label: str, y_label: str, marked: bool = True) -> Figure:
    """Returns a line for each name through its (x, y): figures 4 and 6, training curves."""
    figure = Figure()
    axes = figure.subplots()
    for name, points in curves.items():
        xs, ys = zip(*sorted(points))
        axes.plot(xs, ys, marker="o" if marked else None, label=name)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend()
    return figure


def smoothed(points: Points) -> Points:
    """Returns means over at most 50 equal parts."""
    size = -(-len(points) // SMOOTHED)
    parts = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [
        (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts
    ]


class Sources(NamedTuple):
    """What there is to draw. Curves: name -> [(x, measure)]."""

    by_stage: Mapping[str, float]
    measure: str
    figure_4: Mapping[str, Points]
    by_rank: Path | None
    figure_6: Mapping[str, Points]
    logs: Mapping[str, Path]  # model -> train_log.tsv


def figures_of(sources: Sources) -> dict[str, tuple[str, Callable[[], Figure]]]:
    """Returns name -> (caption, what draws it) of the figures that the sources are enough for."""
    measure = sources.measure
    drawn = {
        "stages": (
            sources.by_stage,
            "The measure by stage",
            lambda: bars(sources.by_stage, measure),
        ),
        "figure4": (
            sources.figure_4,
            "Figure 4: the number of random negatives",
            lambda: lines(sources.figure_4, "negatives a query", measure),
        ),
        "figure5": (
            sources.by_rank,
            "Figure 5: unlabelled passages that denoising removes, by rank",
            lambda: bars(removed_by_rank(sources.by_rank), "removed, percent"),
        ),
        "figure6": (
            sources.figure_6,
            "Figure 6: the size of the augmented data",
            lambda: lines(sources.figure_6, "rows of augmented data", measure),
        ),
        "training": (
            sources.logs,
            "Training curves",
            lambda: lines(
                {model: smoothed(losses_of(log)) for model, log in sources.logs.items()},
                "step",
                "loss",
                marked=False,
            ),
        ),
    }
    return {name: (caption, make) for name, (there, caption, make) in drawn.items() if there}


def removed_by_rank(path: Path) -> dict[str, float]:
    """Returns range of ranks -> percent of its unlabelled passages removed, of a denoising report's by_rank.tsv."""
    rows = [row.columns for row in read_rows(path, (9,))][1:]
    return {
        first if first == last else f"{first}-{last.replace('more', '')}": 100 * float(share)
        for first, last, _, _, share, *_ in rows
    }


def losses_of(path: Path) -> Points:
    """Returns (step, loss) of a train_log.tsv."""
    return [
        (float(row.columns[0]), float(row.columns[1])) for row in list(read_rows(path, None))[1:]
    ]
