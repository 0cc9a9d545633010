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
    job_of,
    memory,
    to_path,
    to_text,
)
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1
from rocketqa.search.encodings import (
    COLLECTION,
    check_directories,
    check_encodings,
    refuse_other_side,
)

EXAMPLE = (
    "rocketqa index --passage-vectors vectors/collection --factory IVF4096,Flat "
    "--parameters nprobe=32 --output vectors/index"
)
OVERLAP_DEPTH = 100  # passages of a query, as many as the service shows at most


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa index", description=description, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--passage-vectors",
        type=to_path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder of an encoded collection, or the folders of all its shards",
    )
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
    parser.add_argument(
        "--query-vectors",
        type=to_path,
        metavar="DIR",
        help="encoded queries; a sample of them measures the overlap with exact search (default: "
        "a sample of the passages stands for queries)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="seed of both samples (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    check_directories(args.passage_vectors)
    refuse_other_side(args.passage_vectors, COLLECTION)
    if args.query_vectors is not None:
        check_encodings(args.query_vectors, args.passage_vectors)
    inputs = ("passage_vectors", "query_vectors")
    job = job_of("index", args, inputs, not_identity=("max_memory",)).of_folder()

    def make(part: Path) -> None:
        job.facts.update(_make_index(args, part))

    return job.run(make, args.check)


def _make_index(args: Namespace, part: Path) -> dict[str, object]:
    """Writes the index and returns what is recorded about it."""
    from rocketqa.search.approximate_search import overlap
    from rocketqa.search.candidates import CandidateSearch
    from rocketqa.search.exact_search import ExactSearch
    from rocketqa.search.kept_index import (
        KeptIndex,
        measuring_sample,
        training_sample,
        write_index,
    )
    from rocketqa.search.vectors import VectorStore, check_same_size

    passages = VectorStore(args.passage_vectors)
    queries = passages if args.query_vectors is None else VectorStore([args.query_vectors])
    check_same_size(queries, passages)
    exact = ExactSearch(passages, args.max_memory)  # refuses a passage that is there twice
    sample = training_sample(passages, args.training_vectors, args.seed)
    write_index(passages, args.factory, args.parameters, sample, args.max_memory, part)
    search = CandidateSearch(passages, KeptIndex(part, passages))
    measured = measuring_sample(queries, args.seed)
    share = overlap(search, exact, measured, OVERLAP_DEPTH)
    print(
        f"{args.output}: finds {share:.4f} of the exact best {OVERLAP_DEPTH} of {len(measured)} "
        f"{'passages' if args.query_vectors is None else 'queries'}",
        file=sys.stderr,
    )
    return {
        "rows": len(passages),
        "trained_on": len(sample),
        "overlap": share,
        "overlap_depth": OVERLAP_DEPTH,
        "overlap_queries": len(measured),
    }
