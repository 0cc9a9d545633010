"""Load an encoded collection into Milvus, a file or a server, that searches answer from.

`retrieve`, `search` and `serve` take the same --uri, and give exact scores to what Milvus finds.
Loading goes on where it was stopped. Folders of passages that came later, and of lists of removed
ones, are followed. The overlap with exact search is measured once.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from rocketqa.cli.flags import NumberType, VerbParser, memory, to_path, to_text
from rocketqa.cli.search_flags import add_uri_flags, parameters
from rocketqa.files.ranges import ANY_WHOLE
from rocketqa.search.encodings import (
    COLLECTION,
    check_directories,
    check_encodings,
    refuse_other_side,
)

EXAMPLE = (
    "rocketqa load --passage-vectors vectors/collection --uri vectors/milvus.db --index-type FLAT"
)
OVERLAP_DEPTH = 100  # passages of a query, as many as the service shows at most


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
    parser.add_argument(
        "--passage-vectors",
        type=to_path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder of an encoded collection, or the folders of all its shards; folders of "
        "passages that were added, and of lists of removed ones (`rocketqa remove-passages`)",
    )
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
    _add_measuring_flags(parser)
    return parser


def _add_measuring_flags(parser: ArgumentParser) -> None:
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
        help="seed of that sample (default: %(default)s)",
    )
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="passage vectors in memory at a time while the overlap is measured, such as 500MB or "
        "4GiB (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    check_directories(args.passage_vectors)
    refuse_other_side(args.passage_vectors, COLLECTION)
    if args.query_vectors is not None:
        check_encodings(args.query_vectors, args.passage_vectors)
    _load(args)
    return 0


def _load(args: Namespace) -> None:
    """Loads what is not there, and measures what Milvus then finds."""
    from rocketqa.search.approximate_search import overlap
    from rocketqa.search.candidates import CandidateSearch
    from rocketqa.search.exact_search import ExactSearch
    from rocketqa.search.kept_index import measuring_sample
    from rocketqa.search.milvus_client import connect
    from rocketqa.search.milvus_loading import is_up_to_date, load
    from rocketqa.search.milvus_record import MilvusCollection, MilvusIndex, digests_of
    from rocketqa.search.milvus_search import MilvusCandidates
    from rocketqa.search.vectors import VectorStore, check_same_size

    digests = digests_of(args.passage_vectors, read_files=True)
    passages = VectorStore(args.passage_vectors)
    queries = passages if args.query_vectors is None else VectorStore([args.query_vectors])
    check_same_size(queries, passages)
    exact = ExactSearch(passages, args.max_memory)  # refuses a passage that is there twice
    collection = MilvusCollection(connect(args.uri), args.uri, args.milvus_collection)
    index = MilvusIndex(args.index_type, args.build_parameters, args.parameters)
    if is_up_to_date(collection.read(), digests, index):
        print(f"{collection}: up to date", file=sys.stderr)
        return
    record = load(collection, passages, digests, index)
    search = CandidateSearch(passages, MilvusCandidates(collection, index, passages))
    measured = measuring_sample(queries, args.seed)
    share = overlap(search, exact, measured, OVERLAP_DEPTH)
    collection.write(record._replace(rows=len(passages), overlap=share, depth=OVERLAP_DEPTH))
    print(
        f"{collection}: {len(passages)} vectors; finds {share:.4f} of the exact best "
        f"{OVERLAP_DEPTH} of {len(measured)} "
        f"{'passages' if args.query_vectors is None else 'queries'}",
        file=sys.stderr,
    )
