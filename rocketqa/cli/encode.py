"""Encode a collection or queries into vectors with a dual encoder, shard by shard.

All rows are tokenised first, unless they come tokenised from `rocketqa tokenize`, and are put into
batches by length; shards are runs of whole batches. So the vector of a row has the same bytes
whatever the number of shards, processes and machines.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from rocketqa.cli.flags import (
    AS_TRAINED,
    NumberType,
    VerbParser,
    add_inference_flags,
    add_job_flags,
    add_text_flags,
    job_of,
    on_all_devices,
    take_batch_tokens,
    take_lengths,
    to_path,
)
from rocketqa.distributed.watchdog import Workspace
from rocketqa.files.ranges import WHOLE_FROM_1, shown
from rocketqa.inference.encoding_plan import (
    FEWEST_COLLECTION_SHARDS,
    SHARD_ROWS,
    EncodingSettings,
    Part,
)
from rocketqa.text.token_store import COLLECTION, QUERIES
from rocketqa.weights.model_kinds import model_settings
from rocketqa.weights.model_similarity import similarity_flags, with_similarity_of

EXAMPLE = (
    "rocketqa encode --checkpoint checkpoints/dual_encoder --collection collection.tsv "
    "--output vectors/collection"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa encode", description=description, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    add_text_flags(parser, AS_TRAINED)
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        required=True,
        help="a dual encoder, or the folder of an encoder in Hugging Face's, PaddleNLP's or "
        "sentence-transformers' layout, for queries and passages alike",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--collection", type=to_path, help="collection.tsv, or the folder of its tokens"
    )
    source.add_argument(
        "--queries", type=to_path, help="queries.SPLIT.tsv, or the folder of their tokens"
    )
    parser.add_argument(
        "--num-shards",
        type=NumberType(WHOLE_FROM_1),
        help=f"files of vectors, which the devices share out among them (default: one for every "
        f"{SHARD_ROWS:,} rows; for a collection at least {FEWEST_COLLECTION_SHARDS})",
    )
    parser.add_argument(
        "--shard",
        type=part_of_many,
        metavar="I/N",
        help="make part I of N (1 to N) of the shards, while other machines make the others; "
        "`rocketqa retrieve` takes all N folders (default: 1/1)",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="type of the vectors on disk (default: float32)",
    )
    add_inference_flags(parser)
    return parser


def part_of_many(value: str) -> str:
    """Returns I/N, checked."""
    try:
        part = Part.parse(value)
    except ValueError:
        raise ArgumentTypeError(f"expected I/N with 1 <= I <= N, got {shown(value)}") from None
    return f"{part.number}/{part.parts}"


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    model_settings(args.checkpoint, "DualEncoder")
    take_lengths(args, "query_length", "passage_length")
    take_batch_tokens(args)
    inputs = ("checkpoint", "collection", "queries")
    flags = similarity_flags(with_similarity_of(args.checkpoint))
    job = job_of("encode", args, inputs, **flags).of_folder()

    def make(workspace: Workspace) -> None:
        from rocketqa.inference.encoding import TOKENS, encode

        job.discarded.add(TOKENS)
        job.facts.update(encode(settings_of(args), workspace, args.output.name))

    return job.run_in(on_all_devices, make, args.check)


def settings_of(args: Namespace) -> EncodingSettings:
    """Returns the settings of the encoding."""
    is_collection = args.collection is not None
    return EncodingSettings(
        checkpoint=args.checkpoint,
        source=args.collection if is_collection else args.queries,
        kind=COLLECTION if is_collection else QUERIES,
        max_length=args.passage_length if is_collection else args.query_length,
        batch_tokens=args.batch_tokens,
        num_shards=args.num_shards,
        part=Part.parse(args.shard or "1/1"),
        dtype=args.dtype,
        precision=args.precision,
    )
