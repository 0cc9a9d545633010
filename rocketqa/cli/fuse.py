"""Fuse runs, such as those of BM25 and of a dual encoder, into one.

The scores of each query are scaled to 0 to 1 in each run, multiplied by the weight of the run, and
added up. The weights are given, or chosen on training queries, by their MRR@10; otherwise all runs
have the same weight.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_format_flag,
    add_job_flags,
    job_of,
    to_file,
    to_path,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import FROM_0, WHOLE_FROM_1
from rocketqa.search.fusion import FUSED_DEPTH, METHODS, SCORES, Weights, shares
from rocketqa.search.run_fusion import (
    ChosenWeights,
    FusionSettings,
    choose_weights,
    fused_lines,
    open_runs,
)

INPUTS = ("runs", "training_runs", "training_qrels")
EXAMPLE = (
    "rocketqa fuse --runs bm25.dev.run dual.dev.run --training-runs bm25.train.run dual.train.run "
    "--training-qrels qrels.train.tsv --output fused.dev.run"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa fuse", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--runs",
        type=to_file,
        required=True,
        nargs="+",
        metavar="RUN",
        help="the runs to fuse, two or more",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=SCORES,
        help="what is added up: the scores of each query, scaled to 0 to 1, or 1 / (60 + rank), "
        "reciprocal rank fusion (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        type=NumberType(FROM_0),
        nargs="+",
        metavar="W",
        help="the weight of each run, in their order; they are divided by their sum (default: "
        "chosen on --training-runs where they are given, else the same for all runs)",
    )
    _add_training_flags(parser)
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        default=FUSED_DEPTH,
        metavar="RANKS",
        help="fuse this many top ranks of each run, and write as many; the scores are scaled over "
        "them (default: %(default)s, as in `rocketqa search`)",
    )
    add_format_flag(parser)
    return parser


def _add_training_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--training-runs",
        type=to_path,
        nargs="+",
        metavar="RUN",
        help="the same systems' runs of training queries, in the order of --runs: all weights in "
        "tenths are compared by MRR@10 and printed; of those that are within one standard error "
        "of the best, the most equal ones are taken (default: none)",
    )
    parser.add_argument(
        "--training-qrels",
        type=to_path,
        help="with --training-runs: the labels of the training queries (default: none)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    _check_flags(args)
    job = job_of("fuse", args, inputs=INPUTS)
    settings = FusionSettings(args.method, args.depth)

    def make(part: Path) -> None:
        runs = open_runs(args.runs, settings)
        weights = _given_weights(args)
        if args.training_runs:
            chosen = choose_weights(args.training_runs, args.training_qrels, settings)
            _print_compared(chosen)
            weights = chosen.weights
            job.facts["training MRR@10"] = chosen.mrr
        job.facts["weights"] = list(weights)
        write_lines(part / args.output.name, fused_lines(runs, weights, settings, args.format))
        print(f"{args.output}: {_named(args.runs, weights)}")

    return job.run(make, args.check)


def _check_flags(args: Namespace) -> None:
    """Raises DataError where the flags do not fit together."""
    count = len(args.runs)
    if count < 2:
        raise DataError(f"--runs: expected two runs or more, got {count}")
    if bool(args.training_runs) != bool(args.training_qrels):
        raise DataError("--training-runs, --training-qrels: expected both or none, got one alone")
    if args.training_runs and args.weights:
        raise DataError("--weights: expected it without --training-runs, which chooses, got both")
    for name in ("weights", "training_runs"):
        values = getattr(args, name)
        if values and len(values) != count:
            flag = f"--{name.replace('_', '-')}"
            raise DataError(f"{flag}: expected {count}, as many as --runs, got {len(values)}")
    if args.weights and not sum(args.weights):
        raise DataError("--weights: expected one above 0, got only 0")


def _given_weights(args: Namespace) -> Weights:
    return shares(args.weights or [1.0] * len(args.runs))


def _print_compared(chosen: ChosenWeights) -> None:
    """Prints MRR@10 of all weights that were compared, the chosen ones with a mark."""
    print(f"weights of the runs, and MRR@10 of {chosen.queries:,} training queries:")
    for weights, value in chosen.compared:
        mark = "  <- chosen" if weights == chosen.weights else ""
        print(f"{_shown(weights)}\t{value:.4f}{mark}")


def _named(runs: list[Path], weights: Weights) -> str:
    words = [f"{weight:.4g} x {run}" for run, weight in zip(runs, weights)]
    return " + ".join(words)


def _shown(weights: Weights) -> str:
    return " ".join(f"{weight:.1f}" for weight in weights)
