"""Report measures as tables beside the paper's numbers, with verdicts and figures.

With --measures it writes report.tsv, with --ablation ablation.tsv, and report.md (or ablation.md)
beside it. report.md begins with the checkpoint to use, and warns where a stage is below an earlier
one, the initial weights or BM25.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of
from rocketqa.cli.report_flags import (
    add_depth_flags,
    add_figure_flags,
    add_flight_flags,
    add_search_flags,
    add_source_flags,
)
from rocketqa.evaluation.figure_values import CurvePoint, curve_point, read_sources
from rocketqa.evaluation.paper_tables import (
    PAPER_DATA,
    Expected,
    paper_table_lines,
    paper_values,
    read_expected,
)
from rocketqa.evaluation.recommendation import Results, descriptions, first_lines
from rocketqa.evaluation.report_tables import (
    ADAPTED,
    START,
    Depths,
    Measured,
    MeasuresFile,
    ablation_table,
    judged_queries,
    main_measure,
    measures_file_of_model,
    medians,
    models_without_passages,
    read_measured,
    report_table,
    summary_lines,
)
from rocketqa.evaluation.search_command import Flight
from rocketqa.evaluation.tables import tsv_lines
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.atomic_files import write_atomically
from rocketqa.jobs.digests import read_manifest
from rocketqa.jobs.job import Job

INPUTS = ("measures", "expected", "by_rank", "logs", "ablated", "points", "truth")
PLACES = ("checkpoints", "vectors", "collection")  # flags that are given together
DEPTHS = ("retrieve_depth", "rerank_depth")
# These flags change report.md, which is written each time, and not the artefact report.tsv.
OF_FLIGHT = ("last_model", "judged_by", "notes", "fused_run", "reranked_run", "bm25_index")
ONLY_IN_MARKDOWN = (*PLACES, *DEPTHS, *OF_FLIGHT, "query_length", "max_length")
OF_ADAPTATION = (ADAPTED, START)  # the last models that adapt.sh may end with
WITHOUT_LABELS = "which no label can choose"  # how it finds the weights
EXAMPLE = (
    "rocketqa report --measures output/marco/dual_encoder_2.measures.tsv --tables "
    "--expected run_scripts/expected.tsv --paper-flight marco --output output/marco/report.tsv"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa report", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    add_source_flags(parser)
    add_figure_flags(parser)
    add_flight_flags(parser)
    add_depth_flags(parser)
    add_search_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    files = _measures_files(args)
    points = [curve_point(*words) for words in args.curve]
    flight = _flight(args)
    job = _job(args, files, points)
    measured = [value for file in files for value in read_measured(file)]
    expected = read_expected(args.expected, args.paper_flight)

    def make(part: Path) -> None:
        paper = paper_values(expected)
        table = ablation_table(measured) if args.ablation else report_table(measured, paper)
        write_lines(part / args.output.name, tsv_lines(table))
        if args.figures:
            _draw_figures(args, measured, points, redraw=True)

    status = job.run(make, args.check)
    if args.check:
        return status
    results = Results(
        measured,
        judged_queries(files),
        _depths(args),
        flight,
        models_without_passages(files),
        last=args.last_model,
        notes=[path.read_text(encoding="utf-8").strip() for path in args.notes],
        bm25_weight=_weight(args.fused_run, 0),
        cross_encoder_weight=_cross_encoder_weight(args.reranked_run),
        judged_by_cross_encoder=args.judged_by == "cross-encoder",
    )
    if args.last_model in OF_ADAPTATION:
        results = results._replace(weighed=WITHOUT_LABELS)
    lines = _tables(args, results, expected)
    if args.figures:
        lines += _draw_figures(args, measured, points, redraw=False)
    if args.tables:
        deep_enough = results.depths.deep_enough(measured)
        lines += paper_table_lines(expected, medians(deep_enough, args.ablated))
    write_atomically(args.output.with_suffix(".md"), "\n".join(lines) + "\n")
    print("\n".join(lines))
    return status


def _depths(args: Namespace) -> Depths:
    return Depths(args.retrieve_depth, args.rerank_depth)


def _flight(args: Namespace) -> Flight | None:
    """Returns where the flight keeps what a search reads, or None where no flag says so."""
    given = [f"--{name}" for name in PLACES if getattr(args, name)]
    if not given:
        return None
    if len(given) < len(PLACES):
        expected = ", ".join(f"--{name}" for name in PLACES)
        raise DataError(f"{expected}: expected all or none of them, got {' and '.join(given)}")
    return Flight(
        args.checkpoints,
        args.vectors,
        args.collection,
        args.query_length,
        args.max_length,
        args.rerank_depth,
        args.bm25_index,
    )


def _weight(fused_run: Path | None, place: int) -> float | None:
    """Returns the weight of one of the two runs that were fused; None without a fused run.

    Raises DataError where the manifest of the run does not record both weights.
    """
    if fused_run is None:
        return None
    weights = read_manifest(fused_run).get("weights")
    if not isinstance(weights, list) or len(weights) != 2:
        raise DataError(
            f"{fused_run}: expected a run that `rocketqa fuse` made of two, got another file"
        )
    return float(weights[place])


def _cross_encoder_weight(reranked_run: Path | None) -> float | None:
    """Returns the weight of the cross encoder beside the fused run; None where it ranks alone."""
    weight = _weight(reranked_run, 1)
    return None if weight == 1 else weight


def _tables(args: Namespace, results: Results, expected: list[Expected]) -> list[str]:
    """Returns the lines of report.md, or of ablation.md, down to the table of measures."""
    paper = paper_values(expected)
    paper_data = PAPER_DATA.get(args.paper_flight, args.paper_flight)
    deep_enough = results.depths.deep_enough(results.measured)
    if args.ablation:
        return summary_lines(deep_enough, paper, paper_data)
    shown = summary_lines(deep_enough, paper, paper_data, descriptions(results))
    return first_lines(results) + shown


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
    return job_of("report", args, inputs=inputs, not_identity=ONLY_IN_MARKDOWN, **named)


def _draw_figures(
    args: Namespace, measured: list[Measured], points: list[CurvePoint], redraw: bool
) -> list[str]:
    """Draws all figures, or only the missing ones, and returns the lines that show them."""
    from rocketqa.evaluation import figures  # matplotlib takes long to load

    shown = _depths(args).deep_enough(measured)
    sources = read_sources(main_measure(measured), shown, points, args.by_rank, args.logs)
    drawable = figures.figures_of(sources)
    figures.save_figures(drawable, args.output.with_name("figures"), redraw)
    return figures.figure_lines(drawable)
