"""Make an index of an encoded collection that searches open instead of reading all vectors.

The index is kept in a folder. `retrieve`, `search` and `serve` open it with --index, give exact
scores to what it finds, and read nothing but that. Its overlap with exact search is measured once.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_job_flags,
    add_passage_vectors,
    job_of,
    memory,
    to_text,
)
from rocketqa.cli.index_flags import add_measuring_flags, check_vectors
from rocketqa.files.ranges import WHOLE_FROM_1

EXAMPLE = (
    "rocketqa index --passage-vectors vectors/collection --factory IVF4096,Flat "
    "--parameters nprobe=32 --output vectors/index"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa index", description=description, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    add_passage_vectors(parser)
    parser.add_argument(
        "--factory",
        type=to_text,
        required=True,
        help="the index as faiss describes it, such as HNSW32, IVF4096,Flat or IVF4096,PQ64",
    )
    parser.add_argument(
        "--parameters",
        type=str,
        default="",
        metavar="NAME=VALUE,...",
        help="how the index searches, such as nprobe=32 (of an IVF: lists that are looked at) or "
        "efSearch=128 (of an HNSW) (default: those of faiss, nprobe=1 and efSearch=16)",
    )
    _add_sample_flags(parser)
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="passage vectors in memory at a time, such as 500MB or 4GiB, beside the index itself "
        "and the vectors that train it (default: %(default)s)",
    )
    return parser


def _add_sample_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--training-vectors",
        type=NumberType(WHOLE_FROM_1),
        default=1 << 18,
        metavar="N",
        help="vectors that train the index, drawn from all of them; an IVF needs at least 39 for "
        "each list (default: %(default)s)",
    )
    add_measuring_flags(parser, "both samples")


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    check_vectors(args)
    inputs = ("passage_vectors", "query_vectors")
    job = job_of("index", args, inputs, not_identity=("max_memory",)).of_folder()

    def make(part: Path) -> None:
        job.facts.update(_make_index(args, part))

    return job.run(make, args.check)


def _make_index(args: Namespace, part: Path) -> dict[str, object]:
    """Writes the index and returns what is recorded about it."""
    from rocketqa.search.kept_index import KeptIndex, training_sample, write_index
    from rocketqa.search.measured_overlap import OVERLAP_DEPTH, VectorsToIndex

    vectors = VectorsToIndex(args.passage_vectors, args.query_vectors, args.max_memory)
    passages = vectors.passages
    sample = training_sample(passages, args.training_vectors, args.seed)
    write_index(passages, args.factory, args.parameters, sample, args.max_memory, part)
    measured = vectors.overlap_of(KeptIndex(part, passages), args.seed)
    print(f"{args.output}: {measured}", file=sys.stderr)
    return {
        "rows": len(passages),
        "trained_on": len(sample),
        "overlap": measured.share,
        "overlap_depth": OVERLAP_DEPTH,
        "overlap_queries": measured.queries,
    }
