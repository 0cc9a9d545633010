"""Sample negatives: random passages, or retrieved ones, which the cross encoder may denoise."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_job_flags,
    job_of,
    run_for_rows,
    to_file,
    to_path,
)
from rocketqa.denoised_hard_negatives import HardNegativeSettings
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingRows
from rocketqa.files.ranges import ANY_WHOLE, PROBABILITY, WHOLE_FROM_0, WHOLE_FROM_1
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, open_scores
from rocketqa.training.sampling import (
    NegativeSource,
    QueryPositives,
    RandomNegatives,
    RetrievedNegatives,
    RowSettings,
    queries_by_answer,
    queries_by_label,
    sample_rows,
)

INPUTS = ("qrels", "answers", "run", "collection", "also_positive", "scores")
EXAMPLE = (
    "rocketqa sample-negatives --for dual --qrels qrels.train.tsv --run train.run "
    "--scores train.scored.run --negatives 4 --seed 1 --output examples.dual.tsv"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser(
        "rocketqa sample-negatives", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_job_flags(parser)
    _add_input_flags(parser)
    _add_choice_flags(parser)
    _add_row_flags(parser)
    return parser


def _add_input_flags(parser: ArgumentParser) -> None:
    positives = parser.add_mutually_exclusive_group(required=True)
    positives.add_argument("--qrels", type=to_file, help="labels: they name the positives")
    positives.add_argument(
        "--answers",
        type=to_file,
        help="the positive is the best-ranked passage of --run with an answer in text or title; "
        "no passage with an answer is a negative (needs --run and --collection)",
    )
    parser.add_argument(
        "--run",
        type=to_file,
        help="take the negatives from these retrieved passages (default: none)",
    )
    parser.add_argument(
        "--collection",
        type=to_path,
        help="without --run: draw random negatives from all these passages; "
        "with --answers: search their texts (default: none)",
    )
    parser.add_argument(
        "--also-positive",
        type=to_file,
        help="labels of further passages that are not taken as negatives (default: none)",
    )
    parser.add_argument(
        "--scores",
        type=to_file,
        help="the run scored by the cross encoder: denoise the negatives with it (default: none)",
    )


def _add_choice_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        default=1000,
        metavar="RANKS",
        help="consider this many top ranks of the run (default: %(default)s)",
    )
    parser.add_argument(
        "--order",
        choices=("rank", "random"),
        default="rank",
        help="take the candidates with the best ranks, or draw them (default: %(default)s)",
    )
    parser.add_argument(
        "--max-score",
        type=NumberType(PROBABILITY),
        default=0.1,
        metavar="P",
        help="with --scores: a passage is a negative if its P(relevant) is below this "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--fill-depth",
        type=NumberType(WHOLE_FROM_0),
        default=0,
        metavar="RANK",
        help="where negatives are missing, draw them from the ranks after --depth up to this one, "
        "without denoising; 0 disables it (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=NumberType(ANY_WHOLE), required=True, help="seed of everything that is drawn"
    )


def _add_row_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=("dual", "cross"),
        required=True,
        help="write rows of examples.dual.tsv or of examples.cross.tsv",
    )
    parser.add_argument(
        "--negatives",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        metavar="COUNT",
        help="dual: rows for each positive; cross: negatives for each query",
    )
    parser.add_argument(
        "--negatives-per-row",
        type=NumberType(WHOLE_FROM_1),
        default=1,
        metavar="COUNT",
        help="dual: hard negatives of each row (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="write an empty file where the --scores leave no row (default: refuse that)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    _check_flags(args)
    job = job_of("sample-negatives", args, inputs=INPUTS, not_identity=("allow_empty",))
    return run_for_rows(job, lambda: _sample(args), args.check)


def _check_flags(args: Namespace) -> None:
    sources = [name for name in ("run", "collection") if getattr(args, name)]
    if args.answers and len(sources) < 2:
        raise DataError(
            "--answers: expected --run and --collection with it, "
            f"got {' '.join(sources) or 'neither'}"
        )
    if args.qrels and len(sources) != 1:
        raise DataError(
            "--qrels: expected --run or --collection with it, "
            f"got {' and '.join(sources) or 'neither'}"
        )


def _sample(args: Namespace) -> TrainingRows:
    """Reads the inputs and returns the rows. Raises DataError if there are none."""
    queries, source = _open_inputs(args)
    settings = RowSettings(
        encoder=args.purpose,
        negatives=args.negatives,
        negatives_per_row=args.negatives_per_row,
        keep_one_sided=args.answers is not None,
    )
    sampled = sample_rows(queries, source, settings)
    if not sampled.lines and args.scores:
        if args.allow_empty:
            return sampled
        raise DataError(
            f"{args.scores}: expected a passage with P(relevant) below {args.max_score}, "
            f"got none for {sampled.queries_left_out} queries "
            "(rocketqa report-denoising shows how the scores are distributed)"
        )
    if not sampled.lines:
        raise DataError(
            f"{args.qrels or args.answers}: expected a query with negatives, "
            f"got none for {sampled.queries_left_out} queries"
        )
    return sampled


def _open_inputs(args: Namespace) -> tuple[Iterable[QueryPositives], NegativeSource]:
    """Returns the queries with their positives, and where their negatives come from."""
    if not args.run:
        random_source = RandomNegatives(args.collection, args.seed)
        check = Check(passage_ids=random_source.known_ids)
        return queries_by_label(args.qrels, args.also_positive, check), random_source
    passages = CollectionFile(args.collection) if args.answers else None
    run = RunFile(args.run, Check(passage_ids=passages))
    settings = HardNegativeSettings(
        depth=args.depth,
        max_negative=args.max_score,
        order=args.order,
        fill_depth=args.fill_depth,
        seed=args.seed,
    )
    scores = open_scores(args.scores) if args.scores else None
    source = RetrievedNegatives(run, scores, settings)
    if passages is None:
        return queries_by_label(args.qrels, args.also_positive), source
    return queries_by_answer(args.answers, run, passages, settings, args.also_positive), source
