"""Choose how many ranks of a run the cross encoder must score, by some queries that it has scored.

The depth is the smallest one at which nearly all of these queries (95 % of those that ever do) have
the sure negatives, and with --min-positive the sure positive, that their training rows need. The
output is a table by depth; its last column says which one is chosen, and a line says why.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import NumberType, VerbParser, add_job_flags, job_of, to_file
from rocketqa.evaluation.depth_choice import DepthChoice, Need, rank_with_enough
from rocketqa.evaluation.tables import tsv_lines
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_positives, write_lines
from rocketqa.files.ranges import PROBABILITY, WHOLE_FROM_1
from rocketqa.files.runs import RunFile, open_scores

INPUTS = ("run", "scores", "qrels")
EXAMPLE = (
    "rocketqa choose-depth --run train.run --scores sample.scored.run --qrels qrels.train.tsv "
    "--depth 50 --negatives 4 --output depth.tsv"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa choose-depth", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--run", type=to_file, required=True, help="run of the retriever; its ranks are used"
    )
    parser.add_argument(
        "--scores",
        type=to_file,
        required=True,
        help="queries of that run, scored by the cross encoder at least as deep as --depth: some "
        "are enough (`rocketqa score --sample`)",
    )
    parser.add_argument(
        "--qrels",
        type=to_file,
        help="labels of the queries: labelled passages are no negatives, and each needs its own "
        "(default: none)",
    )
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        metavar="RANKS",
        help="the largest depth",
    )
    parser.add_argument(
        "--negatives",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        metavar="N",
        help="sure negatives that a query needs for each of its labelled passages",
    )
    parser.add_argument(
        "--max-negative",
        type=NumberType(PROBABILITY),
        default=0.1,
        metavar="P",
        help="a passage is a sure negative if its P(relevant) is below this (default: %(default)s)",
    )
    parser.add_argument(
        "--min-positive",
        type=NumberType(PROBABILITY),
        metavar="P",
        help="a query also needs a passage whose P(relevant) is above this (default: none)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("choose-depth", args, inputs=INPUTS)

    def make(part: Path) -> None:
        choice = _choice(args)
        write_lines(part / args.output.name, tsv_lines(choice.table()))
        print(f"{args.output}: {choice.line()}")

    return job.run(make, args.check)


def _choice(args: Namespace) -> DepthChoice:
    """Returns the choice by all queries that have scores. Raises DataError where none has."""
    need = Need(args.negatives, args.max_negative, args.min_positive)
    run = RunFile(args.run)
    scores = open_scores(args.scores)
    positives = read_positives(args.qrels) if args.qrels else {}
    drawn = [query_id for query_id in run if query_id in scores]
    if not drawn:
        raise DataError(f"{args.scores}: expected queries of {args.run}, got none of them")
    ranks = []
    for query_id in drawn:
        top = run[query_id][: args.depth]
        of_query = positives.get(query_id, ())
        rank = rank_with_enough(query_id, top, scores.scores(query_id), of_query, need)
        if rank is not None:
            ranks.append(rank)
    return DepthChoice(ranks, len(drawn), args.depth, need)
