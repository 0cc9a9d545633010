"""The flags of `search` and `serve`: an encoded collection and the models that answer from it."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from rocketqa.cli.flags import AS_TRAINED, NumberType, add_query_length, memory, to_path, to_text
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import TOKENS, WEIGHT, WHOLE_FROM_1
from rocketqa.search.answer import RERANK_DEPTH
from rocketqa.search.milvus_client import checked_uri
from rocketqa.search.milvus_record import Parameters, read_parameters

MILVUS_COLLECTION = "rocketqa"


def add_search_flags(parser: ArgumentParser, folder: Callable[[str], Path | str] = to_path) -> None:
    """Adds an encoded collection, whose folders have this type, and the models that answer."""
    _add_encoded_collection(parser, folder)
    _add_cross_encoder(parser)
    parser.add_argument(
        "--index",
        type=to_path,
        metavar="DIR",
        help="an index of the vectors, as `rocketqa index` makes it: only the passages that it "
        "finds are read and get exact scores (default: exact search of all vectors)",
    )
    add_uri_flags(parser)
    parser.add_argument(
        "--bm25-index",
        type=to_path,
        metavar="DIR",
        help="an index of the words, as `rocketqa bm25-index` makes it of the collections: BM25 "
        "and the vectors answer together, by the rule of `rocketqa fuse` (default: vectors alone)",
    )
    parser.add_argument(
        "--bm25-weight",
        type=NumberType(WEIGHT),
        metavar="W",
        help="with --bm25-index: the weight of BM25, 0 to 1; the vectors have the rest; `rocketqa "
        "fuse` chooses and prints weights (default: 0.5)",
    )
    add_query_length(parser, AS_TRAINED)
    parser.add_argument(
        "--max-length",
        type=NumberType(TOKENS),
        help="tokens of a query and its passage together, for the cross encoder, special tokens "
        f"included (default: {AS_TRAINED}160)",
    )
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="bytes of passage vectors in memory at a time, such as 500MB or 4GiB; more than that "
        "is read from disk for every query. With GPUs, it is for each GPU, and the vectors of all "
        "of them stay in memory, too (default: 4GiB)",
    )


def _add_cross_encoder(parser: ArgumentParser) -> None:
    """Adds the model that re-ranks, how many passages, and with what weight."""
    parser.add_argument(
        "--cross-encoder",
        type=to_path,
        metavar="DIR",
        help="a cross encoder that re-ranks the retrieved passages (default: none)",
    )
    parser.add_argument(
        "--rerank-depth",
        type=NumberType(WHOLE_FROM_1),
        metavar="N",
        help="with --cross-encoder: number of retrieved passages that it re-ranks, however few of "
        "them are shown; more than N are never shown "
        f"(default: {RERANK_DEPTH}, or as many as are shown where that is more)",
    )
    parser.add_argument(
        "--cross-encoder-weight",
        type=NumberType(WEIGHT),
        metavar="W",
        help="with --cross-encoder: its weight, 0 to 1; the scores with which the passages were "
        "retrieved have the rest. Both are scaled to 0 to 1 over the re-ranked passages, as "
        "`rocketqa fuse` scales them (default: the cross encoder ranks alone, as in the paper)",
    )


def add_uri_flags(parser: ArgumentParser, required: bool = False) -> None:
    """Adds a collection of Milvus."""
    parser.add_argument(
        "--uri",
        type=_to_uri,
        required=required,
        help="the vectors in Milvus, as `rocketqa load` puts them there: a name NAME.db, which "
        "milvus-lite opens, or the address http://HOST:PORT of a server. User and password, or a "
        "key, are taken from the variable MILVUS_TOKEN"
        + ("" if required else " (default: the search does not ask Milvus)"),
    )
    parser.add_argument(
        "--milvus-collection",
        type=to_text,
        default=MILVUS_COLLECTION,
        metavar="NAME",
        help="name of the collection in Milvus (default: %(default)s)",
    )


def refuse_odd_uri(args: Namespace) -> None:
    """Raises DataError where Milvus is asked for beside an index, or only half."""
    if args.index is not None and args.uri is not None:
        raise DataError("--uri: expected no --index beside it, got both: leave one out")
    if args.uri is None and args.milvus_collection != MILVUS_COLLECTION:
        raise DataError(
            f"--milvus-collection {args.milvus_collection}: expected --uri with it, got none"
        )


def _to_uri(value: str) -> str:
    try:
        return checked_uri(to_text(value))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def parameters(value: str) -> Parameters:
    """Returns the parameters of an index, NAME=VALUE,...; none of an empty text."""
    try:
        return read_parameters(value)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def refuse_weight_alone(args: Namespace) -> None:
    """Raises DataError where BM25 has a weight, but no index."""
    if args.bm25_weight is not None and args.bm25_index is None:
        raise DataError(
            f"--bm25-weight {args.bm25_weight:g}: expected --bm25-index DIR with it, got none"
        )


def _add_encoded_collection(parser: ArgumentParser, folder: Callable[[str], Path | str]) -> None:
    """Adds the dual encoder, the collection and its vectors.

    folder: type of a value of --passage-vectors, which is a list for each time that it is given.
    """
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        required=True,
        help="the dual encoder that has encoded the collection",
    )
    parser.add_argument(
        "--collection",
        type=to_path,
        required=True,
        action="append",
        metavar="FILE",
        help="the collection.tsv that was encoded; the flag is repeated for the file of each "
        "encoding that was added",
    )
    parser.add_argument(
        "--passage-vectors",
        type=folder,
        required=True,
        nargs="+",
        action="append",
        metavar="DIR",
        help="the vectors of the collection: one folder, or the folders of all parts, of passages "
        "that were added, and of lists of removed ones; the flag may be repeated",
    )
