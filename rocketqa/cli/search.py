"""Search an encoded collection in the terminal and print the best passages for each query.

A passage is printed as two lines: rank, score, passage_id and title, then a tab and the text. The
score is a dot product; with --bm25-index it is the fused score, and the scores of vectors and BM25
follow the title; with --cross-encoder it is a probability of relevance; with --cross-encoder-weight
it is made of what is retrieved and of the relevance, which follow the title. A query from a pipe is
UTF-8. A character that the encoding of the output lacks is printed as its number, such as
\\xe9.
"""

import io
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rocketqa.cli.flags import NumberType, VerbParser, to_text
from rocketqa.cli.search_flags import (
    add_search_flags,
    refuse_odd_uri,
    refuse_weight_alone,
)
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import WHOLE_FROM_1
from rocketqa.search.answer import (
    depth_to_retrieve,
    refuse_without_cross_encoder,
    shown_parts,
)
from rocketqa.search.encodings import is_removal
from rocketqa.search.query_input import queries_of_lines, query_of_word

EXAMPLE = (
    "rocketqa search --checkpoint checkpoints/dual_encoder --collection collection.tsv "
    "--passage-vectors vectors/collection 'who wrote the first letter'"
)


def folder_or_query(value: str) -> str:
    """Returns a value of --passage-vectors, or QUERY behind them, unless it is blank."""
    if not value.strip():
        raise ArgumentTypeError("expected a folder, and QUERY behind the folders, got a blank text")
    return value


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa search", description=__doc__, epilog=f"example: {EXAMPLE}")
    parser.add_argument(
        "query",
        nargs="?",
        type=to_text,
        metavar="QUERY",
        help="text to search for, in quotes, before or behind the flags (default: each line from "
        "the terminal or a pipe is a query)",
    )
    add_search_flags(parser, folder_or_query)
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        default=10,
        help="number of passages to show (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    folders, query = folders_and_query(args.passage_vectors, args.query)
    queries = queries_of_lines() if query is None else [query_of_word(query)]
    refuse_odd_uri(args)
    refuse_weight_alone(args)
    refuse_without_cross_encoder(args.cross_encoder, args.rerank_depth, args.cross_encoder_weight)
    depth_to_retrieve(args.depth, args.rerank_depth)  # refuses a smaller one before models load
    from rocketqa.search.retriever import load_retriever

    retriever = load_retriever(
        args.checkpoint,
        args.collection,
        folders,
        args.max_memory,
        args.cross_encoder,
        args.query_length,
        args.max_length,
        rerank_depth=args.rerank_depth,
        index=args.index,
        uri=args.uri,
        milvus_collection=args.milvus_collection,
        bm25_index=args.bm25_index,
        bm25_weight=args.bm25_weight,
        cross_encoder_weight=args.cross_encoder_weight,
    )
    kind = retriever.kind
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for text in queries:
        for rank, answer in enumerate(retriever.answer(text, args.depth), 1):
            line = f"{rank}\t{answer.score:.6g}\t{answer.passage_id}\t{answer.title}"
            print(f"{line}\t{shown_parts(answer, kind)}" if kind.parts else line)
            print(f"\t{answer.text}")
        print(flush=True)
    return 0


def folders_and_query(
    groups: Sequence[list[str]], query: str | None
) -> tuple[list[Path], str | None]:
    """Returns the folders of vectors, and the query that stands behind them or is given already.

    groups: the values of each --passage-vectors. argparse takes a QUERY that follows them for one
    more value. It is the word that names no folder with vectors; the first value is always a
    folder.
    """
    words = list(chain.from_iterable(groups))
    behind = []
    if query is None:
        for group in groups:
            behind += [word for word in group[1:] if not holds_vectors(word)]
    if len(behind) > 1:
        raise DataError(
            f"QUERY: expected one text behind the folders of --passage-vectors, got {len(behind)}: "
            f"{', '.join(behind)} (write a query of several words in quotes)"
        )
    for text in behind:
        words.remove(text)
        query = text
    return [Path(word) for word in words], query


def holds_vectors(word: str) -> bool:
    """Returns whether a word names a folder with vectors, or with a list of removed passages."""
    if not os.path.isdir(word):
        return False
    return any(Path(word).glob("vectors.*.npy")) or is_removal(Path(word))
