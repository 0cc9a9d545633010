"""Report measures as tables beside the paper's numbers, with verdicts and figures.

With --measures it writes report.tsv, with --ablation ablation.tsv, and report.md (or ablation.md)
beside it.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import add_job_flags, job_of
from rocketqa.evaluation.figure_values import CurvePoint, curve_point, read_sources
from rocketqa.evaluation.paper_tables import paper_table_lines, paper_values, read_expected
from rocketqa.evaluation.report_tables import (
    ENDING,
    Measured,
    MeasuresFile,
    ablation_table,
    measures_file_of_model,
    medians,
    read_measured,
    report_table,
    summary_lines,
)
from rocketqa.evaluation.tables import tsv_lines
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.atomic_files import write_atomically
from rocketqa.jobs.job import Job

INPUTS = ("measures", "expected", "by_rank", "logs", "ablated", "points", "truth")
EXAMPLE = (
    "rocketqa report --measures output/marco/dual_encoder_2.measures.tsv --tables "
    "--expected run_scripts/expected.tsv --paper-flight marco --output output/marco/report.tsv"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = ArgumentParser("rocketqa report", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    _add_source_flags(parser)
    _add_figure_flags(parser)
    return parser


def _add_source_flags(parser: ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--measures",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"files MODEL{ENDING} of `rocketqa evaluate`: write report.tsv",
    )
    source.add_argument(
        "--ablation",
        nargs="+",
        metavar="ROW SEED FILE",
        help="triples of a row's name, a seed and a measures file: write ablation.tsv",
    )
    parser.add_argument(
        "--expected",
        type=Path,
        required=True,
        help="the paper's numbers: run_scripts/expected.tsv",
    )
    parser.add_argument(
        "--paper-flight",
        required=True,
        metavar="NAME",
        help="which of them to compare with: the first column of --expected, marco or nq",
    )
    parser.add_argument(
        "--tables",
        action="store_true",
        help="with --measures: add the paper's tables with our values and verdicts (default: no)",
    )
    parser.add_argument(
        "--ablated",
        type=Path,
        metavar="FILE",
        help="ablation.tsv: its rows join the paper's tables (default: none)",
    )


def _add_figure_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--figures",
        action="store_true",
        help="with --measures: draw the figures that have values, into figures/ (default: no)",
    )
    parser.add_argument(
        "--by-rank",
        type=Path,
        metavar="FILE",
        help="by_rank.tsv of `rocketqa report-denoising`: figure 5 (default: none)",
    )
    parser.add_argument(
        "--logs",
        nargs="*",
        type=Path,
        default=[],
        metavar="FILE",
        help="files MODEL/train_log.tsv: training curves (default: none)",
    )
    parser.add_argument(
        "--curve",
        nargs=4,
        action="append",
        default=[],
        metavar=("FIGURE", "CURVE", "X", "FILE"),
        help="a point of figure 4 (X: negatives of a query) or 6 (X: rows of augmented data) with "
        "the measures file that holds its height; may be repeated (default: none)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    files = _measures_files(args)
    points = [curve_point(*words) for words in args.curve]
    job = _job(args, files, points)
    measured = [value for file in files for value in read_measured(file)]
    expected = read_expected(args.expected, args.paper_flight)
    paper = paper_values(expected)

    def make(part: Path) -> None:
        table = ablation_table(measured) if args.ablation else report_table(measured, paper)
        write_lines(part / args.output.name, tsv_lines(table))
        if args.figures:
            _draw_figures(args, measured, points, redraw=True)

    status = job.run(make, args.check)
    if args.check:
        return status
    lines = summary_lines(measured, paper)
    if args.figures:
        lines += _draw_figures(args, measured, points, redraw=False)
    if args.tables:
        lines += paper_table_lines(expected, medians(measured, args.ablated))
    write_atomically(args.output.with_suffix(".md"), "\n".join(lines) + "\n")
    print("\n".join(lines))
    return status


def _measures_files(args: Namespace) -> list[MeasuresFile]:
    if args.measures:
        return [measures_file_of_model(path) for path in args.measures]
    words = args.ablation
    if len(words) % 3:
        raise DataError(f"--ablation: expected triples of ROW SEED FILE, got {len(words)} words")
    return [
        MeasuresFile(row, seed, Path(path))
        for row, seed, path in zip(words[::3], words[1::3], words[2::3])
    ]


def _job(args: Namespace, files: list[MeasuresFile], points: list[CurvePoint]) -> Job:
    """Returns the job. Files that are named within other flags are inputs of their own."""
    inputs = list(INPUTS)
    named: dict[str, object] = {
        "curve": [(point.figure, point.curve, point.x) for point in points],
        "points": [point.path for point in points],
        "truth": [file.truth for file in files if file.truth.is_file()],
    }
    if args.ablation:
        inputs.append("files")
        named["ablation"] = [f"{file.model} {file.seed}" for file in files]
        named["files"] = [file.path for file in files]
    return job_of("report", args, inputs=inputs, not_identity=(), **named)


def _draw_figures(
    args: Namespace, measured: list[Measured], points: list[CurvePoint], redraw: bool
) -> list[str]:
    """Draws all figures, or only the missing ones, and returns the lines that show them."""
    from rocketqa.evaluation import figures  # matplotlib takes long to load

    drawable = figures.figures_of(read_sources(measured, points, args.by_rank, args.logs))
    figures.save_figures(drawable, args.output.with_name("figures"), redraw)
    return figures.figure_lines(drawable)
