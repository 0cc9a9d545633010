"""The values that the paper's figures are drawn from (`rocketqa.evaluation.figures`)."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.paper_tables import PAPER_NAMES
from rocketqa.evaluation.report_tables import Measured
from rocketqa.evaluation.tables import Table
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_measures
from rocketqa.files.ranges import FROM_0, shown
from rocketqa.files.rows import read_rows

Point = tuple[float, float]  # x, y
Points = Sequence[Point]
Curves = dict[str, list[Point]]  # name -> its points

CURVE_FIGURES = ("4", "6")  # the paper's figures that are curves
SMOOTHED_POINTS = 50  # points of a training curve at most
BY_RANK_COLUMNS = 9


class CurvePoint(NamedTuple):
    """A point of a curve of figure 4 or 6: x, and the measures file that holds y."""

    figure: str  # "4" or "6"
    curve: str
    x: float
    path: Path


def curve_point(figure: str, curve: str, x: str, path: str) -> CurvePoint:
    """Returns the point that four words describe.

    Raises DataError if the figure is another one or if x is not a number.
    """
    if figure not in CURVE_FIGURES:
        raise DataError(f"--curve: expected figure {' or '.join(CURVE_FIGURES)}, got {figure}")
    try:
        return CurvePoint(figure, curve, FROM_0.read(x), Path(path))
    except ValueError:
        raise DataError(f"--curve: expected a number as X, got {shown(x)}") from None


class Sources(NamedTuple):
    """The values of each figure. A figure without values is left out."""

    measure: str  # its name in the paper
    by_model: Mapping[str, float]  # model -> percent
    figure_4: Curves
    by_rank: Path | None  # by_rank.tsv of a denoising report
    figure_6: Curves
    logs: Mapping[str, Path]  # model -> train_log.tsv


def read_sources(
    measure: str,
    measured: Sequence[Measured],
    points: Iterable[CurvePoint],
    by_rank: Path | None,
    logs: Iterable[Path],
) -> Sources:
    """Returns the values for the figures. One measure is shown, in percent.

    logs: files MODEL/train_log.tsv. Raises DataError if a point's file lacks the measure.
    """
    curves: dict[str, Curves] = {figure: {} for figure in CURVE_FIGURES}
    for point in points:
        values = read_measures(point.path)
        if measure not in values:
            raise DataError(f"{point.path}: expected a line of {measure}, got none")
        curve = curves[point.figure].setdefault(point.curve, [])
        curve.append((point.x, 100 * values[measure]))
    return Sources(
        measure=PAPER_NAMES.get(measure, measure),
        by_model={row.model: 100 * row.value for row in measured if row.measure == measure},
        figure_4=curves["4"],
        by_rank=by_rank,
        figure_6=curves["6"],
        logs={path.parent.name: path for path in logs},
    )


def removed_by_rank(path: Path) -> dict[str, float]:
    """Returns range of ranks -> percent of its unlabelled passages that are removed."""
    removed = {}
    rows = read_rows(path, (BY_RANK_COLUMNS,))
    next(rows)  # the names of the columns
    for row in rows:
        first, last, _, _, share, *_ = row.columns
        ranks = first if first == last else f"{first}-{last}"
        ranks = ranks.replace("-more", "+")
        removed[ranks] = 100 * float(share)
    return removed


def reliability_points(table: Table) -> Points:
    """Returns (mean probability, share of labelled pairs) of each row of a reliability table."""
    head, *rows = table
    mean, share = head.index("mean_probability"), head.index("share_labelled")
    return [(float(str(row[mean])), float(str(row[share]))) for row in rows]


def losses_of(path: Path) -> Points:
    """Returns (step, loss) of each line of a train_log.tsv."""
    losses = []
    rows = read_rows(path, None)
    next(rows)  # the names of the columns
    for row in rows:
        step, loss, *_ = row.columns
        losses.append((float(step), float(loss)))
    return losses


def smoothed(points: Points) -> Points:
    """Returns at most 50 points: the means of equal parts of the given ones."""
    size = -(-len(points) // SMOOTHED_POINTS)  # rounded up
    means = []
    for begin in range(0, len(points), size):
        part = points[begin : begin + size]
        mean_x = sum(x for x, _ in part) / len(part)
        mean_y = sum(y for _, y in part) / len(part)
        means.append((mean_x, mean_y))
    return means
