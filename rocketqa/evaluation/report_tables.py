"""The tables of `rocketqa report`: the measures of our models beside the paper's numbers.

report.tsv      model, measure, value, the paper's value: of every model
ablation.tsv    row, seed, measure, value: of every row of the ablation (the paper's tables 3 and 7)
report.md       a table with one line for each model, in percent; medians over the seeds

A measure such as R@1000 needs 1,000 passages for each query. `rocketqa evaluate` leaves it out
where a run has fewer. Where a file of measures has it all the same, report.md leaves it out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rocketqa.evaluation.measures import WITHOUT_K
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
BM25 = "bm25"
START = "start"  # the initial weights
CROSS_ENCODER = "cross_encoder"
FUSED = "fused"  # BM25 and the last model
FUSED_RERANKED = "fused_reranked"
RERANKED = "dual_encoder_2"  # the model whose passages the cross encoder re-ranks
ADAPTED = "adapted"  # by adapt.sh, which calls the given model `start`
DISTILLED = "dual_encoder_3"  # of stage 5; where it is there, its passages are re-ranked
QUERIES_JUDGED = "queries_judged"
QUERIES_EVALUATED = "queries_evaluated"

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


class Depths(NamedTuple):
    """How many passages for each query the runs have that were measured; None: unknown."""

    retrieved: int | None = None
    reranked: int | None = None  # the first of the retrieved ones

    def holds(self, row: Measured) -> bool:
        """Returns whether the run is as deep as the measure needs; an unknown depth is enough."""
        is_reranked = row.model in (CROSS_ENCODER, FUSED_RERANKED)
        depth = self.reranked if is_reranked else self.retrieved
        cutoff = re.search(r"@(\d+)", row.measure)
        return depth is None or cutoff is None or int(cutoff[1]) <= depth

    def deep_enough(self, measured: Iterable[Measured]) -> list[Measured]:
        """Returns the values whose runs are as deep as the measure needs."""
        return [row for row in measured if self.holds(row)]


def too_deep(measured: Sequence[Measured], depths: Depths) -> list[str]:
    """Returns the columns of report.md that lack a value because its run is not deep enough."""
    models = {row.model for row in measured}
    lacking = set()
    for measure in {row.measure for row in measured}:
        for model in models:
            if not depths.holds(Measured(model, "", measure, 0)):
                lacking.add(measure)
    return [PAPER_NAMES.get(measure, measure) for measure in SHOWN_MEASURES if measure in lacking]


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


def judged_queries(files: Iterable[MeasuresFile]) -> dict[str, int]:
    """Returns model -> number of judged queries, of the files that have it."""
    judged = {}
    for file in files:
        values = read_measures(file.path)
        if QUERIES_JUDGED in values:
            judged[file.model] = int(values[QUERIES_JUDGED])
    return judged


def models_without_passages(files: Iterable[MeasuresFile]) -> set[str]:
    """Returns the models whose runs have no passage for any judged query."""
    without = set()
    for file in files:
        if read_measures(file.path).get(QUERIES_EVALUATED) == 0:
            without.add(file.model)
    return without


def _without_counts(values: Mapping[str, float]) -> dict[str, float]:
    """Returns the measures without the numbers of queries."""
    kept = {}
    for measure, value in values.items():
        if "@" in measure or measure in WITHOUT_K:
            kept[measure] = value
    return kept


def main_measure(measured: Iterable[Measured]) -> str:
    """Returns the measure that figures show. Raises DataError if none of them was measured."""
    measure = found_main_measure(measured)
    if measure is None:
        raise DataError(f"measures: expected one of {', '.join(MAIN_MEASURES)}, got none")
    return measure


def found_main_measure(measured: Iterable[Measured]) -> str | None:
    """Returns the first of the main measures that was measured, or None."""
    names = {row.measure for row in measured}
    found = (measure for measure in MAIN_MEASURES if measure in names)
    return next(found, None)


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


def summary_lines(
    measured: Sequence[Measured],
    paper: Values,
    paper_data: str,
    descriptions: Mapping[str, str] | None = None,
) -> list[str]:
    """Returns the table of report.md: a line for each model, in percent.

    The paper's value, which is on `paper_data`, stands in brackets where there is one.
    descriptions: model -> the text of a second column; None: no such column.
    """
    values: ValueLists = {}
    for row in measured:
        key = (row.model, row.measure)
        values.setdefault(key, []).append(row.value)
    of_models = [row for row in measured if row.model != DATA]
    known = {row.measure for row in of_models}
    shown = [measure for measure in SHOWN_MEASURES if measure in known]
    head = ["model"]
    if descriptions is not None:
        head.append("what it is")
    head += [PAPER_NAMES.get(measure, measure) for measure in shown]
    lines = [markdown_row(head), markdown_rule(len(head))]
    has_paper = False
    for model in dict.fromkeys(row.model for row in of_models):
        cells = [model]
        if descriptions is not None:
            cells.append(descriptions.get(model, ""))
        for measure in shown:
            key = (model, measure)
            cells.append(_cell(values.get(key), paper.get(key)))
            has_paper = has_paper or key in paper
        lines.append(markdown_row(cells))
    title = "Percent" + _seeds(values)
    if has_paper:
        title += f"; in brackets the paper's on {paper_data}"
    return [f"{title}.", "", *lines]


def _seeds(values: ValueLists) -> str:
    """Returns words for the number of seeds, where there are several."""
    first_values = next(iter(values.values()), [])
    seeds = len(first_values)
    return f", medians of {seeds} seeds" if seeds > 1 else ""


def _cell(our_values: list[float] | None, paper_value: float | None) -> str:
    """Returns our value and the paper's in percent, either of which may be missing."""
    parts = []
    if our_values:
        parts.append(f"{100 * median(our_values):.2f}")
    if paper_value is not None:
        parts.append(f"({100 * paper_value:.2f})")
    return " ".join(parts)
