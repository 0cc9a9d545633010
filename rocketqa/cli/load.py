"""Load an encoded collection into Milvus, a file or a server, that searches answer from.

`retrieve`, `search` and `serve` take the same --uri, and give exact scores to what Milvus finds.
Loading goes on where it was stopped. Folders of passages that came later, and of lists of removed
ones, are followed. The overlap with exact search is measured once.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from rocketqa.cli.flags import VerbParser, add_passage_vectors, memory, to_text
from rocketqa.cli.index_flags import add_measuring_flags, check_vectors
from rocketqa.cli.search_flags import add_uri_flags, parameters

EXAMPLE = (
    "rocketqa load --passage-vectors vectors/collection --uri vectors/milvus.db --index-type FLAT"
)


def index_type(value: str) -> str:
    """Returns the type of an index as Milvus writes it."""
    name = to_text(value)
    if not name.replace("_", "").isalnum():
        raise ArgumentTypeError("expected a type such as FLAT, IVF_FLAT or HNSW, got other signs")
    return name.upper()


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa load", description=description, epilog=f"example: {EXAMPLE}")
    add_passage_vectors(parser)
    add_uri_flags(parser, required=True)
    parser.add_argument(
        "--index-type",
        type=index_type,
        default="FLAT",
        help="the index as Milvus names it: FLAT (nothing is lost), IVF_FLAT, IVF_SQ8, HNSW; "
        "milvus-lite has these alone, a server more (default: %(default)s)",
    )
    parser.add_argument(
        "--build-parameters",
        type=parameters,
        default={},
        metavar="NAME=VALUE,...",
        help="how the index is made, such as nlist=4096 (of an IVF) or M=32,efConstruction=200 "
        "(of an HNSW) (default: those of Milvus)",
    )
    parser.add_argument(
        "--parameters",
        type=parameters,
        default={},
        metavar="NAME=VALUE,...",
        help="how the index searches, such as nprobe=32 or ef=400 (default: those of Milvus)",
    )
    add_measuring_flags(parser, "that sample")
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="passage vectors in memory at a time while the overlap is measured, such as 500MB or "
        "4GiB (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    check_vectors(args)
    _load(args)
    return 0


def _load(args: Namespace) -> None:
    """Loads what is not there, and measures what Milvus then finds."""
    from rocketqa.search.measured_overlap import OVERLAP_DEPTH, VectorsToIndex
    from rocketqa.search.milvus_client import connect
    from rocketqa.search.milvus_loading import is_up_to_date, load
    from rocketqa.search.milvus_record import MilvusCollection, MilvusIndex, digests_of
    from rocketqa.search.milvus_search import MilvusCandidates

    digests = digests_of(args.passage_vectors, read_files=True)
    vectors = VectorsToIndex(args.passage_vectors, args.query_vectors, args.max_memory)
    passages = vectors.passages
    collection = MilvusCollection(connect(args.uri), args.uri, args.milvus_collection)
    index = MilvusIndex(args.index_type, args.build_parameters, args.parameters)
    if is_up_to_date(collection.read(), digests, index):
        print(f"{collection}: up to date", file=sys.stderr)
        return
    record = load(collection, passages, digests, index)
    measured = vectors.overlap_of(MilvusCandidates(collection, index, passages), args.seed)
    whole = record._replace(rows=len(passages), overlap=measured.share, depth=OVERLAP_DEPTH)
    collection.write(whole)
    print(f"{collection}: {len(passages)} vectors; {measured}", file=sys.stderr)
