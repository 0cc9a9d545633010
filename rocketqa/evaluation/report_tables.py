"""The tables of `rocketqa report`: the measures of our models beside the paper's numbers.

report.tsv      model, measure, value, the paper's value: of every model
ablation.tsv    row, seed, measure, value: of every row of the ablation (the paper's tables 3 and 7)
report.md       a table with one line for each model, in percent; medians over the seeds
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rocketqa.evaluation.paper_tables import DATA, PAPER_NAMES
from rocketqa.evaluation.tables import Table, markdown_row, markdown_rule
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_measures
from rocketqa.files.rows import read_rows

ENDING = ".measures.tsv"
TRUTH_ENDING = ".measures-truth.tsv"
SHOWN_MEASURES = (  # the columns of report.md
    "MRR@10",
    "Success@1",
    "Success@50",
    "Success@1000",
    "accuracy@5",
    "accuracy@20",
    "accuracy@100",
    "MRR@10-truth",
)
MAIN_MEASURES = ("MRR@10", "accuracy@5", "MRR@10-truth")  # of the ablation and the figures

Values = Mapping[tuple[str, str], float]  # (model, measure) -> value
ValueLists = dict[tuple[str, str], list[float]]  # (model, measure) -> values of all seeds


class MeasuresFile(NamedTuple):
    """A file of measures and the model (or row of the ablation) and seed that it belongs to."""

    model: str
    seed: str
    path: Path

    @property
    def truth(self) -> Path:
        """The file of the same measures by the truth: complete labels, which made-up data have."""
        return self.path.with_name(self.path.name.replace(ENDING, TRUTH_ENDING))


class Measured(NamedTuple):
    """One value of a model (or row of the ablation) and a seed."""

    model: str
    seed: str
    measure: str
    value: float


def measures_file_of_model(path: Path) -> MeasuresFile:
    """Returns the file MODEL.measures.tsv with its model."""
    return MeasuresFile(path.name.removesuffix(ENDING), "", path)


def read_measured(file: MeasuresFile) -> list[Measured]:
    """Returns the values of a model by the labels, and by the truth where that file is there.

    Counts of queries are left out, except those of the model "data".
    """
    model, seed, path = file
    values = read_measures(path)
    if model != DATA:
        values = _without_counts(values)
    measured = [Measured(model, seed, measure, value) for measure, value in values.items()]
    if file.truth.is_file():
        by_truth = _without_counts(read_measures(file.truth))
        for measure, value in by_truth.items():
            measured.append(Measured(model, seed, f"{measure}-truth", value))
    return measured


def _without_counts(values: Mapping[str, float]) -> dict[str, float]:
    """Returns the measures, which have names such as MRR@10, without the numbers of queries."""
    return {measure: value for measure, value in values.items() if "@" in measure}


def main_measure(measured: Sequence[Measured]) -> str:
    """Returns the measure that figures show. Raises DataError if none of them was measured."""
    names = {row.measure for row in measured}
    for measure in MAIN_MEASURES:
        if measure in names:
            return measure
    raise DataError(f"measures: expected one of {', '.join(MAIN_MEASURES)}, got none")


def medians(measured: Iterable[Measured], ablation: Path | None) -> dict[tuple[str, str], float]:
    """Returns (model, measure) -> value of our models and of the rows of an ablation.tsv, if given.

    The value of a row of the ablation is the median over its seeds.
    """
    values: ValueLists = {(row.model, row.measure): [row.value] for row in measured}
    if ablation:
        for row in _read_ablation(ablation):
            values.setdefault((row.model, row.measure), []).append(row.value)
    return {key: median(values_of_seeds) for key, values_of_seeds in values.items()}


def _read_ablation(path: Path) -> list[Measured]:
    measured = []
    rows = read_rows(path, (4,))
    next(rows)  # the names of the columns
    for row in rows:
        model, seed, measure, text = row.columns
        value = row.checked_number(text, measure)
        measured.append(Measured(model, seed, measure, value))
    return measured


def report_table(measured: Iterable[Measured], paper: Values) -> Table:
    """Returns report.tsv. The paper's value is empty where the paper has none."""
    table: Table = [["model", "measure", "value", "paper"]]
    for row in measured:
        paper_value = paper.get((row.model, row.measure), "")
        table.append([row.model, row.measure, repr(row.value), paper_value])
    return table


def ablation_table(measured: Iterable[Measured]) -> Table:
    """Returns ablation.tsv, which holds the main measures alone."""
    table: Table = [["row", "seed", "measure", "value"]]
    for row in measured:
        if row.measure in MAIN_MEASURES:
            table.append(list(row))
    return table


def summary_lines(measured: Sequence[Measured], paper: Values) -> list[str]:
    """Returns report.md: a line for each model, in percent, the paper's value in brackets."""
    values: ValueLists = {}
    for row in measured:
        values.setdefault((row.model, row.measure), []).append(row.value)
    of_models = [row for row in measured if row.model != DATA]
    known = {row.measure for row in of_models}
    shown = [measure for measure in SHOWN_MEASURES if measure in known]
    columns = [PAPER_NAMES.get(measure, measure) for measure in shown]
    first_values = next(iter(values.values()), [])
    seeds = len(first_values)
    of_seeds = f", medians of {seeds} seeds" if seeds > 1 else ""
    lines = [
        f"Percent{of_seeds}; in brackets the paper's.",
        "",
        markdown_row(["model", *columns]),
        markdown_rule(len(columns) + 1),
    ]
    for model in dict.fromkeys(row.model for row in of_models):
        keys = [(model, measure) for measure in shown]
        cells = [_cell(values.get(key), paper.get(key)) for key in keys]
        lines.append(markdown_row([model, *cells]))
    return lines


def _cell(our_values: list[float] | None, paper_value: float | None) -> str:
    """Returns our value and the paper's in percent, either of which may be missing."""
    cell = ""
    if our_values:
        cell = f"{100 * median(our_values):.2f}"
    if paper_value is not None:
        cell += f" ({100 * paper_value:.2f})"
    return cell
