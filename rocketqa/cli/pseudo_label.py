"""Label retrieved passages for unlabelled queries by the cross encoder (section 3.3.3)."""

from argparse import ArgumentParser, Namespace

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_job_flags,
    job_of,
    run_for_rows,
    to_file,
)
from rocketqa.data_augmentation import PseudoLabelSettings, pseudo_label
from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingRows
from rocketqa.files.ranges import PROBABILITY, WHOLE_FROM_1
from rocketqa.files.runs import RunFile, open_scores

EXAMPLE = (
    "rocketqa pseudo-label --run unlabelled.run --scores unlabelled.scored.run --negatives 4 "
    "--output examples.augmented.tsv"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa pseudo-label", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--run", type=to_file, required=True, help="run of the retriever; its ranks are used"
    )
    parser.add_argument(
        "--scores", type=to_file, required=True, help="the same run, scored by the cross encoder"
    )
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        default=50,
        metavar="RANKS",
        help="consider this many top ranks of the run (default: %(default)s)",
    )
    parser.add_argument(
        "--min-positive",
        type=NumberType(PROBABILITY),
        default=0.9,
        metavar="P",
        help="the best-scored passage is the positive if its P(relevant) is above this "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--max-negative",
        type=NumberType(PROBABILITY),
        default=0.1,
        metavar="P",
        help="a passage is a negative if its P(relevant) is below this (default: %(default)s)",
    )
    parser.add_argument(
        "--negatives",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        metavar="ROWS",
        help="write at most this many rows for each query",
    )
    parser.add_argument(
        "--negatives-per-row",
        type=NumberType(WHOLE_FROM_1),
        default=1,
        metavar="PASSAGES",
        help="hard negatives of each row (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="write an empty file where the scores leave no row (default: refuse that)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("pseudo-label", args, inputs=("run", "scores"), not_identity=("allow_empty",))
    return run_for_rows(job, lambda: _pseudo_labels(args), args.check)


def _pseudo_labels(args: Namespace) -> TrainingRows:
    settings = PseudoLabelSettings(
        depth=args.depth,
        min_positive=args.min_positive,
        max_negative=args.max_negative,
        rows=args.negatives,
        negatives_per_row=args.negatives_per_row,
    )
    run = RunFile(args.run)
    labels = pseudo_label(run, open_scores(args.scores), settings)
    if not labels.lines and not args.allow_empty:
        raise DataError(
            f"{args.run}: expected a query with a confident positive and negative, "
            f"got none of {len(run)}"
        )
    return labels
