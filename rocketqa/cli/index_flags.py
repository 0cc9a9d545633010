"""The flags of `index` and `load`: the vectors, and what measures what their index finds."""

from argparse import ArgumentParser, Namespace

from rocketqa.cli.flags import NumberType, to_path
from rocketqa.files.ranges import ANY_WHOLE
from rocketqa.search.encodings import (
    COLLECTION,
    check_directories,
    check_encodings,
    refuse_missing,
    refuse_other_side,
)


def add_measuring_flags(parser: ArgumentParser, samples: str) -> None:
    """Adds the queries that measure an index; samples: what the seed draws."""
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
        help=f"seed of {samples} (default: %(default)s)",
    )


def check_vectors(args: Namespace) -> None:
    """Raises DataError where the vectors are not those of passages, or the queries are others'."""
    refuse_missing(args.passage_vectors)
    check_directories(args.passage_vectors)
    refuse_other_side(args.passage_vectors, COLLECTION)
    if args.query_vectors is not None:
        check_encodings(args.query_vectors, args.passage_vectors)
