"""Report a flight (or its ablation) as a table, beside the paper's numbers, and in the paper's tables with verdicts."""

from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rocketqa.cli.flags import add_job_flags
from rocketqa.evaluation.paper_tables import (
    OF_THE_DATA,
    PAPER_NAMES,
    Ours,
    paper_values,
    read_expected,
    table_lines,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_measures, write_lines
from rocketqa.files.rows import read_rows
from rocketqa.jobs.atomic_files import write_atomically
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

SHOWN = (
    "MRR@10",
    "Success@1",
    "Success@50",
    "Success@1000",
    "accuracy@5",
    "accuracy@20",
    "accuracy@100",
    "MRR@10-truth",
)
ABLATION_MEASURES = ("MRR@10", "accuracy@5", "MRR@10-truth")
ENDING = ".measures.tsv"


class Measured(NamedTuple):
    """One value of a model (or ablation row) and a seed."""

    model: str
    seed: str
    measure: str
    value: float


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa report", description=__doc__)
    add_job_flags(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--measures", nargs="+", type=InputPath, help=f"files MODEL{ENDING}: report.tsv"
    )
    source.add_argument(
        "--ablation", nargs="+", metavar="ROW SEED FILE", help="triples: ablation.tsv"
    )
    parser.add_argument("--expected", type=InputPath, required=True, help="the paper's numbers")
    parser.add_argument(
        "--paper-flight", required=True, help="the flight in it to stand beside ours"
    )
    parser.add_argument(
        "--tables",
        action="store_true",
        help="with --measures: the paper's tables too, with verdicts",
    )
    parser.add_argument(
        "--figures", action="store_true", help="with --measures: draw them into the folder figures/"
    )
    parser.add_argument(
        "--by-rank", type=InputPath, help="by_rank.tsv of a denoising report: figure 5"
    )
    parser.add_argument(
        "--logs", nargs="*", type=InputPath, default=[], help="files MODEL/train_log.tsv"
    )
    parser.add_argument(
        "--curve",
        nargs=4,
        action="append",
        default=[],
        metavar=("FIGURE", "CURVE", "X", "FILE"),
        help="a point of figure 4 (X: negatives) or 6 (X: rows)",
    )
    parser.add_argument("--ablated", type=InputPath, help="ablation.tsv, for the tables")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.measures:
        rows = [(path.name.removesuffix(ENDING), "", path) for path in args.measures]
    else:
        names, seeds, paths = (
            args.ablation[::3],
            args.ablation[1::3],
            [InputPath(path) for path in args.ablation[2::3]],
        )
        if not len(names) == len(seeds) == len(paths):
            raise DataError(
                f"--ablation: expected triples of ROW SEED FILE, got {len(args.ablation)} words"
            )
        rows, args.files = list(zip(names, seeds, paths)), paths
        args.ablation = [f"{name} {seed}" for name, seed in zip(names, seeds)]
    args.points = [InputPath(path) for _, _, _, path in args.curve]
    args.curve = [(figure, curve, float(x)) for figure, curve, x, _ in args.curve]
    args.truth = [
        InputPath(truth_beside(path)) for _, _, path in rows if truth_beside(path).is_file()
    ]
    job = Job("report", args)
    status = job.status_if_done(args.check)
    if args.check:
        return status
    measured = [found for model, seed, path in rows for found in read_measured(model, seed, path)]
    expected = read_expected(args.expected, args.paper_flight)
    paper = paper_values(expected)
    if status is None:
        with job as part:
            write_lines(part / args.output.name, tsv_lines(measured, paper, bool(args.ablation)))
    lines = markdown_lines(measured, paper)
    if args.figures:
        lines += _figure_lines(args, measured, draw=status is None)
    if args.tables:
        lines += table_lines(expected, ours_of(measured, args.ablated))
    write_atomically(Path(args.output).with_suffix(".md"), "\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


def _figure_lines(args, measured: list[Measured], draw: bool) -> list[str]:
    """Returns the lines that show the figures; draws them where that is asked for, or one is not there."""
    from rocketqa.evaluation.figures import Sources, figures_of, save

    measure = next(
        name for name in ABLATION_MEASURES if any(row.measure == name for row in measured)
    )
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {"4": {}, "6": {}}
    for (figure, curve, x), path in zip(args.curve, args.points):
        curves[figure].setdefault(curve, []).append((x, 100 * read_measures(path)[measure]))
    directory = Path(args.output).with_name("figures")
    directory.mkdir(exist_ok=True)
    by_stage = {row.model: 100 * row.value for row in measured if row.measure == measure}
    figures = figures_of(
        Sources(
            by_stage,
            PAPER_NAMES.get(measure, measure),
            curves["4"],
            args.by_rank,
            curves["6"],
            {path.parent.name: path for path in args.logs},
        )
    )
    for name, (_, make) in figures.items():
        if draw or not all((directory / f"{name}.{kind}").is_file() for kind in ("png", "svg")):
            save(make(), directory, name)
    return [
        line
        for name, (caption, _) in figures.items()
        for line in ("", f"![{caption}](figures/{name}.png)")
    ]


def truth_beside(path: Path) -> Path:
    """Returns the file of the same measures by the truth (which only made-up data have)."""
    return path.with_name(path.name.replace(ENDING, ".measures-truth.tsv"))


def read_measured(model: str, seed: str, path: Path) -> list[Measured]:
    """Returns the values of a model by the labels and, where its file is there, by the truth."""
    found = [
        Measured(model, seed, measure, value)
        for measure, value in read_measures(path).items()
        if "@" in measure or model == OF_THE_DATA
    ]
    truth = truth_beside(path)
    if truth.is_file():
        found += [
            Measured(model, seed, f"{measure}-truth", value)
            for measure, value in read_measures(truth).items()
            if "@" in measure
        ]
    return found


def ours_of(measured: list[Measured], ablated: Path | None) -> Ours:
    """Returns (model, measure) -> our value; medians over the seeds of the ablation."""
    values: dict[tuple[str, str], list[float]] = {
        (row.model, row.measure): [row.value] for row in measured
    }
    for row in list(read_rows(ablated, (4,)))[1:] if ablated else ():
        model, _, measure, value = row.columns
        values.setdefault((model, measure), []).append(row.real(value, measure))
    return {key: median(own) for key, own in values.items()}


def tsv_lines(measured: list[Measured], paper: dict, ablation: bool) -> list[str]:
    """Returns the lines of report.tsv or ablation.tsv."""
    if ablation:
        kept = [row for row in measured if row.measure in ABLATION_MEASURES]
        return ["row\tseed\tmeasure\tvalue", *("\t".join(map(str, row)) for row in kept)]
    return [
        "model\tmeasure\tvalue\tpaper",
        *(
            f"{row.model}\t{row.measure}\t{row.value!r}\t{paper.get((row.model, row.measure), '')}"
            for row in measured
        ),
    ]


def markdown_lines(measured: list[Measured], paper: dict) -> list[str]:
    """Returns the table for people: a row a model, medians over the seeds, in percent, the paper's in brackets."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in measured:
        values.setdefault((row.model, row.measure), []).append(row.value)
    models = dict.fromkeys(row.model for row in measured if row.model != OF_THE_DATA)
    shown = [measure for measure in SHOWN if any((model, measure) in values for model in models)]
    seeds = len(next(iter(values.values())))
    lines = [
        f"Percent{f', medians of {seeds} seeds' if seeds > 1 else ''}; in brackets the paper's.",
        "",
        "| model | " + " | ".join(PAPER_NAMES.get(measure, measure) for measure in shown) + " |",
        "| --- |" + " --- |" * len(shown),
    ]
    for model in models:
        cells = []
        for measure in shown:
            beside = paper.get((model, measure))
            cells.append(
                f"{100 * median(values[model, measure]):.2f}" if (model, measure) in values else ""
            )
            cells[-1] += f" ({100 * beside:.2f})" if beside is not None else ""
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines
