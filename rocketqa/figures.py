"""The paper's figures from our flights, as PNG and SVG (matplotlib, which PaddleNLP brings)."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from rocketqa.rows import read_rows

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
    parts = [points[begin:begin + size] for begin in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


class Sources(NamedTuple):
    """What there is to draw. Curves: name -> [(x, measure)]."""

    by_stage: Mapping[str, float]
    measure: str
    figure_4: Mapping[str, Points]
    by_rank: Path | None
    figure_6: Mapping[str, Points]
    logs: Mapping[str, Path]  # model -> train_log.tsv


def draw(sources: Sources, directory: Path) -> dict[str, str]:
    """Draws what there is and returns name -> caption."""
    figures = {"stages": (sources.by_stage and bars(sources.by_stage, sources.measure), "The measure by stage")}
    figures["figure4"] = (sources.figure_4 and lines(sources.figure_4, "negatives a query", sources.measure),
                          "Figure 4: the number of random negatives")
    figures["figure5"] = (sources.by_rank and bars(removed_by_rank(sources.by_rank), "removed, percent"),
                          "Figure 5: unlabelled passages that denoising removes, by rank")
    figures["figure6"] = (sources.figure_6 and lines(sources.figure_6, "rows of augmented data", sources.measure),
                          "Figure 6: the size of the augmented data")
    losses = {model: smoothed(losses_of(log)) for model, log in sources.logs.items()}
    figures["training"] = (losses and lines(losses, "step", "loss", marked=False), "Training curves")
    there = {name: (figure, caption) for name, (figure, caption) in figures.items() if figure}
    for name, (figure, _) in there.items():
        save(figure, directory, name)
    return {name: caption for name, (_, caption) in there.items()}


def removed_by_rank(path: Path) -> dict[str, float]:
    """Returns range of ranks -> percent of its unlabelled passages removed, of a denoising report's by_rank.tsv."""
    rows = [row.columns for row in read_rows(path, (9,))][1:]
    return {f"{first}-{last}" if last != "more" else f"{first}-": 100 * float(share)
            for first, last, _, _, share, *_ in rows}


def losses_of(path: Path) -> Points:
    """Returns (step, loss) of a train_log.tsv."""
    return [(float(row.columns[0]), float(row.columns[1])) for row in list(read_rows(path, None))[1:]]
