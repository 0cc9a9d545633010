"""Score the passages of a run, or of training examples, with a cross encoder and rank them by these
scores.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    AS_TRAINED,
    NumberType,
    VerbParser,
    add_format_flag,
    add_inference_flags,
    add_job_flags,
    job_of,
    on_all_devices,
    take_batch_tokens,
    take_lengths,
    to_file,
    to_path,
)
from rocketqa.distributed.watchdog import Workspace
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import ANY_WHOLE, TOKENS, WHOLE_FROM_1
from rocketqa.jobs.job import Job
from rocketqa.jobs.manifest import flag_of, input_of
from rocketqa.weights.model_kinds import model_settings

EXAMPLE = (
    "rocketqa score --checkpoint checkpoints/cross_encoder --collection collection.tsv "
    "--queries queries.dev.tsv --run dev.run --depth 50 --output dev.scored.run"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa score", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        required=True,
        help="a cross encoder, also one of one or two labels in Hugging Face's or PaddleNLP's "
        "layout",
    )
    parser.add_argument(
        "--collection",
        type=to_path,
        required=True,
        help="collection.tsv, or the folder of its tokens",
    )
    parser.add_argument(
        "--queries",
        type=to_path,
        required=True,
        help="queries.SPLIT.tsv, or the folder of their tokens",
    )
    _add_pair_flags(parser)
    parser.add_argument(
        "--max-length",
        type=NumberType(TOKENS),
        help="tokens of a query and its passage together, special tokens included "
        f"(default: {AS_TRAINED}160)",
    )
    add_inference_flags(parser)
    add_format_flag(parser)
    return parser


def _add_pair_flags(parser: ArgumentParser) -> None:
    pairs = parser.add_mutually_exclusive_group(required=True)
    pairs.add_argument("--run", type=to_file, help="the run to score")
    pairs.add_argument(
        "--examples",
        type=to_file,
        help="training examples of a dual encoder: score each query with the positives and "
        "negatives of its rows, each pair once, for `rocketqa train-dual-encoder --teacher`",
    )
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        help="with --run: score only the first so many passages of each query (default: all)",
    )
    parser.add_argument(
        "--sample",
        type=NumberType(WHOLE_FROM_1),
        metavar="QUERIES",
        help="with --run: score only so many of its queries, drawn by --seed (default: all)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="seed of that draw (default: %(default)s)",
    )
    parser.add_argument(
        "--known",
        type=to_file,
        nargs="+",
        default=[],
        metavar="RUN",
        help="runs that the same checkpoint has scored before, with the same texts, length and "
        "precision: their pairs are not computed again (default: none)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    scored, other = ("run", "examples") if args.run else ("examples", "run")
    if args.examples:
        _check_examples(args)
    model_settings(args.checkpoint, "CrossEncoder")
    take_lengths(args, "max_length")
    take_batch_tokens(args)
    inputs = ["checkpoint", "collection", "queries", scored]
    # Without a sample and known runs, a job is what it was before there were these flags.
    of_sample = () if args.sample else ("sample", "seed")
    unused = [other, *of_sample]
    (inputs if args.known else unused).append("known")
    job = job_of("score", args, inputs=inputs, not_identity=unused)
    for run in args.known:
        _refuse_other_scores(run, job)

    def make(workspace: Workspace) -> None:
        from rocketqa.inference.scoring import ScoringSettings, score

        settings = ScoringSettings(
            checkpoint=args.checkpoint,
            collection=args.collection,
            queries=args.queries,
            run=args.run,
            depth=args.depth,
            max_length=args.max_length,
            batch_tokens=args.batch_tokens,
            precision=args.precision,
            format=args.format,
            examples=args.examples,
            sample=args.sample,
            seed=args.seed,
            known=args.known,
        )
        job.facts["cut"] = score(settings, workspace, args.output.name)

    return job.run_in(on_all_devices, make, args.check)


def _refuse_other_scores(run: Path, job: Job) -> None:
    """Raises DataError where a run was not scored as this job scores."""
    for name in ("checkpoint", "collection", "queries"):
        if input_of(run, name) != job.identity["inputs"][name]:
            raise DataError(f"{run}: expected scores of the same {name}, got those of another")
    for name in ("max_length", "precision"):
        wanted, got = job.identity["flags"][name], flag_of(run, name)
        if got != wanted:
            flag = name.replace("_", "-")
            raise DataError(f"{run}: expected scores with --{flag} {wanted}, got {got}")


def _check_examples(args: Namespace) -> None:
    """Raises DataError where examples cannot be scored as they are asked to be."""
    for name in ("depth", "sample"):
        if getattr(args, name) is not None:
            raise DataError(f"--{name}: expected it together with --run, got --examples")
    if flag_of(args.examples, "purpose") == "cross":
        raise DataError(
            f"{args.examples}: expected examples of a dual encoder, got those of a cross encoder: "
            "make them with `rocketqa sample-negatives --for dual`"
        )
