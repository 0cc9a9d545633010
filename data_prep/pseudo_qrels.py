"""Makes labels of the cross encoder's scores, for queries that nobody has labelled.

The best-scored passage of a query, over all runs, is its relevant one if its P(relevant) is above
--min-positive. Other queries have no label. Give the runs of all systems that are compared, so that
none of them is judged by what another one has found alone.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from builds import run_script, script_parser

from rocketqa.cli.flags import NumberType, add_job_flags, job_of, to_path
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import PROBABILITY
from rocketqa.files.runs import RunFile, open_scores


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "pseudo_qrels.py",
        "Make labels of the cross encoder's scores, for queries that nobody has labelled.",
        "python data_prep/pseudo_qrels.py --scored dual.scored.run bm25.scored.run \\\n"
        "      --min-positive 0.9 --output qrels.log.tsv",
    )
    add_job_flags(parser)
    parser.add_argument(
        "--scored",
        type=to_path,
        nargs="+",
        required=True,
        metavar="RUN",
        help="runs of `rocketqa score` for the same queries",
    )
    parser.add_argument(
        "--min-positive",
        type=NumberType(PROBABILITY),
        default=0.9,
        metavar="P",
        help="the best passage is relevant if its P(relevant) is above this (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Writes the labels and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Writes the labels unless they are up to date, and returns the exit status."""
    job = job_of("pseudo_qrels", args, inputs=("scored",))

    def write(part: Path) -> None:
        runs = [open_scores(path) for path in args.scored]
        query_ids = dict.fromkeys(query_id for run in runs for query_id in run)
        lines = list(label_lines(runs, list(query_ids), args.min_positive))
        write_lines(part / args.output.name, lines)
        print(f"{args.output}: labels of {len(lines)} of {len(query_ids)} queries")

    return job.run(write, args.check)


def label_lines(
    runs: Sequence[RunFile], query_ids: Sequence[str], min_positive: float
) -> Iterator[str]:
    """Yields a label for each query with a sure passage: query_id, 0, passage_id, 1.

    The first of equal passages wins. Raises DataError on a score that is no probability.
    """
    for query_id in query_ids:
        scores = [scored for run in runs for scored in probabilities(run, query_id)]
        best_id, highest = max(scores, key=itemgetter(1))
        if highest > min_positive:
            yield f"{query_id}\t0\t{best_id}\t1"


def probabilities(run: RunFile, query_id: str) -> Iterator[tuple[str, float]]:
    """Yields the passages of a query in a scored run, each with its P(relevant)."""
    for (_, passage_id), score in run.scores(query_id).items():
        if not PROBABILITY.contains(score):
            raise DataError(
                f"{run.path}: expected P(relevant), 0 to 1, of query {query_id} and passage "
                f"{passage_id}, got {score:g}: make the run with `rocketqa score`"
            )
        yield passage_id, score


if __name__ == "__main__":
    sys.exit(main())
