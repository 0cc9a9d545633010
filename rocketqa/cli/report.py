"""Report a flight (or its ablation) as a table, beside the paper's numbers."""
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rocketqa.artefacts import Job, write_atomically
from rocketqa.flags import InputPath, add_job_flags
from rocketqa.formats import DataError, read_measures, write_lines
from rocketqa.rows import read_rows

SHOWN = ("MRR@10", "Success@1", "Success@50", "Success@1000", "MRR@10-truth")
PAPER_NAMES = {"Success@1": "R@1", "Success@50": "R@50", "Success@1000": "R@1000"}
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
    source.add_argument("--measures", nargs="+", type=InputPath, help=f"files MODEL{ENDING}: report.tsv")
    source.add_argument("--ablation", nargs="+", metavar="ROW SEED FILE", help="triples: ablation.tsv")
    parser.add_argument("--expected", type=InputPath, required=True, help="the paper's numbers")
    parser.add_argument("--paper-flight", required=True, help="the flight in it to stand beside ours")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.measures:
        rows = [(path.name.removesuffix(ENDING), "", path) for path in args.measures]
    else:
        names, seeds, paths = args.ablation[::3], args.ablation[1::3], [InputPath(path) for path in args.ablation[2::3]]
        if not len(names) == len(seeds) == len(paths):
            raise DataError(f"--ablation: expected triples of ROW SEED FILE, got {len(args.ablation)} words")
        rows, args.files = list(zip(names, seeds, paths)), paths
        args.ablation = [f"{name} {seed}" for name, seed in zip(names, seeds)]
    args.truth = [InputPath(truth_beside(path)) for _, _, path in rows if truth_beside(path).is_file()]
    job = Job("report", args)
    status = job.settle(args.check)
    if args.check:
        return status
    measured = [found for model, seed, path in rows for found in read_measured(model, seed, path)]
    paper = read_paper(args.expected, args.paper_flight)
    if status is None:
        with job as part:
            write_lines(part / args.output.name, table_lines(measured, paper, bool(args.ablation)))
    markdown = "\n".join(markdown_lines(measured, paper))
    write_atomically(Path(args.output).with_suffix(".md"), markdown + "\n")
    print(markdown)
    return 0


def truth_beside(path: Path) -> Path:
    """Returns the file of the same measures by the truth (which only made-up data have)."""
    return path.with_name(path.name.replace(ENDING, ".measures-truth.tsv"))


def read_measured(model: str, seed: str, path: Path) -> list[Measured]:
    """Returns the values of a model by the labels and, where its file is there, by the truth."""
    found = [Measured(model, seed, measure, value) for measure, value in read_measures(path).items()]
    truth = truth_beside(path)
    if truth.is_file():
        found += [Measured(model, seed, f"{measure}-truth", value) for measure, value in read_measures(truth).items()]
    return [row for row in found if "@" in row.measure]


def read_paper(path: Path, flight: str) -> dict[tuple[str, str], float]:
    """Returns (model, measure) -> the paper's value as a share of 1 (it prints percent)."""
    return {(model, measure): round(float(value) / 100, 6)
            for its_flight, model, measure, value, _, _ in (row.columns for row in read_rows(path, (6,)))
            if its_flight == flight}


def table_lines(measured: list[Measured], paper: dict, ablation: bool) -> list[str]:
    """Returns the lines of report.tsv or ablation.tsv."""
    if ablation:
        kept = [row for row in measured if row.measure in ("MRR@10", "MRR@10-truth")]
        return ["row\tseed\tmeasure\tvalue", *("\t".join(map(str, row)) for row in kept)]
    return ["model\tmeasure\tvalue\tpaper", *(
        f"{row.model}\t{row.measure}\t{row.value!r}\t{paper.get((row.model, row.measure), '')}" for row in measured)]


def markdown_lines(measured: list[Measured], paper: dict) -> list[str]:
    """Returns the table for people: a row a model, medians over the seeds, in percent, the paper's in brackets."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in measured:
        values.setdefault((row.model, row.measure), []).append(row.value)
    models, measures = dict.fromkeys(row.model for row in measured), {row.measure for row in measured}
    shown = [measure for measure in SHOWN if measure in measures]
    seeds = len(next(iter(values.values())))
    lines = [f"Percent{f', medians of {seeds} seeds' if seeds > 1 else ''}; in brackets the paper's.", "",
             "| model | " + " | ".join(PAPER_NAMES.get(measure, measure) for measure in shown) + " |",
             "| --- |" + " --- |" * len(shown)]
    for model in models:
        cells = []
        for measure in shown:
            beside = paper.get((model, measure))
            cells.append(f"{100 * median(values[model, measure]):.2f}" if (model, measure) in values else "")
            cells[-1] += f" ({100 * beside:.2f})" if beside is not None else ""
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines
