"""Label retrieved passages for unlabelled queries with the cross encoder's confident scores (section 3.3.3)."""

from argparse import ArgumentParser

from rocketqa.cli.flags import add_job_flags, finite, positive
from rocketqa.data_augmentation import pseudo_labelled
from rocketqa.files.errors import DataError
from rocketqa.files.formats import line_of, write_lines
from rocketqa.files.runs import RunFile, open_scores
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa pseudo-label", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--run", type=InputPath, required=True, help="the retriever's run: ranks")
    parser.add_argument(
        "--scores", type=InputPath, required=True, help="the same run scored by the cross encoder"
    )
    parser.add_argument("--depth", type=positive, default=50, help="ranks of the run to look at")
    parser.add_argument(
        "--min-positive",
        type=finite,
        default=0.9,
        help="P(relevant) above which the best is positive",
    )
    parser.add_argument(
        "--max-negative", type=finite, default=0.1, help="P(relevant) below which one is negative"
    )
    parser.add_argument(
        "--negatives", type=positive, required=True, help="rows for each query, at most"
    )
    parser.add_argument("--negatives-per-row", type=positive, default=1)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("pseudo-label", args)
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    with job as part:
        job.facts, lines = _label(args)
        write_lines(part / args.output.name, lines)
    print(f"{args.output}: " + ", ".join(f"{count} {what}" for what, count in job.facts.items()))
    return 0


def _label(args) -> tuple[dict[str, int], list[str]]:
    run, scores = RunFile(args.run), open_scores(args.scores)
    lines, labelled = [], 0
    for query_id, ranking in run.items():
        examples = pseudo_labelled(
            query_id,
            ranking,
            scores.scores(query_id),
            args.depth,
            args.min_positive,
            args.max_negative,
            args.negatives,
            args.negatives_per_row,
        )
        lines.extend(map(line_of, examples))
        labelled += bool(examples)
    if not lines:
        raise DataError(
            f"{args.run}: expected a query with a confident positive and negative, got none of {len(run)}"
        )
    return {"rows": len(lines), "queries": labelled, "queries left out": len(run) - labelled}, lines
