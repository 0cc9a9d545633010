"""Report what the cross encoder's thresholds do to a run: removed by rank (figure 5), histogram, sweep, samples.

Makes a folder: report.md with all of it; by_rank.tsv, by_score.tsv, max_negative.tsv, min_positive.tsv, removals.tsv.
"""

from argparse import ArgumentParser

from rocketqa.cli.flags import add_job_flags, finite, positive
from rocketqa.evaluation.denoising_report import DenoisingReport, Table, markdown_lines, tsv_lines
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_positives, read_queries, write_lines
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, open_scores
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

HEADINGS = {
    "by_rank": "Unlabelled passages removed, by rank (the paper's figure 5)",
    "by_score": "Passages by P(relevant)",
    "max_negative": "Thresholds below which a passage is a negative",
    "min_positive": "Thresholds above which a query's best passage is a positive",
    "removals": "Removals, drawn by chance",
}


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa report-denoising", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--run", type=InputPath, required=True, help="the retriever's run: ranks")
    parser.add_argument(
        "--scores", type=InputPath, required=True, help="the same run scored by the cross encoder"
    )
    parser.add_argument("--collection", type=InputPath, required=True)
    parser.add_argument("--queries", type=InputPath, required=True)
    parser.add_argument("--qrels", type=InputPath, help="the labelled positives")
    parser.add_argument(
        "--truth", type=InputPath, help="qrels that name every relevant passage of their queries"
    )
    parser.add_argument("--depth", type=positive, default=50, help="ranks of the run to look at")
    parser.add_argument(
        "--max-negative", type=finite, default=0.1, help="P(relevant) below which one is a negative"
    )
    parser.add_argument(
        "--min-positive",
        type=finite,
        default=0.9,
        help="P(relevant) above which the best is positive",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the removals that are shown")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("report-denoising", args)
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    with job as part:
        tables = _tables(args)
        for name, table in tables.items():
            write_lines(part / f"{name}.tsv", tsv_lines(table))
        write_lines(
            part / "report.md",
            (
                line
                for name, table in tables.items()
                for line in ("", f"## {HEADINGS[name]}", "", *markdown_lines(table))
            ),
        )
    ranges = tables["by_rank"][1:]
    removed, unlabelled = sum(row[3] for row in ranges), sum(row[2] for row in ranges)
    print(f"{args.output}: {removed} of {unlabelled} unlabelled passages removed")
    return 0


def _tables(args) -> dict[str, Table]:
    queries, passages = read_queries(args.queries), CollectionFile(args.collection)
    run, scores = RunFile(args.run, Check(query_ids=queries)), open_scores(args.scores)
    positives = read_positives(args.qrels) if args.qrels else {}
    truth = read_positives(args.truth) if args.truth else {}
    report = DenoisingReport(args.max_negative, args.min_positive, args.seed)
    for query_id, ranking in run.items():
        top = ranking[: args.depth]
        if unknown := [scored.passage_id for scored in top if scored.passage_id not in passages]:
            raise DataError(
                f"{args.run}: expected passages of {args.collection}, got {unknown[0]!r}"
            )
        report.add(
            query_id, top, scores.scores(query_id), positives.get(query_id, ()), truth.get(query_id)
        )
    return {
        "by_rank": report.by_rank(),
        "by_score": report.by_score(),
        "max_negative": report.as_max_negative(),
        "min_positive": report.as_min_positive(),
        "removals": _removals(report, queries, passages),
    }


def _removals(report: DenoisingReport, queries, passages) -> Table:
    rows: Table = [
        ["query_id", "query", "rank", "score", "passage_id", "title", "text", "relevant"]
    ]
    for query_id, rank, score, passage_id, relevant in report.removals():
        passage = passages[passage_id]
        rows.append(
            [
                query_id,
                queries[query_id].text,
                rank,
                f"{score:.4g}",
                passage_id,
                passage.title,
                passage.text,
                "" if relevant is None else "yes" if relevant else "no",
            ]
        )
    return rows
