"""Serve an encoded collection over HTTP: JSON for programs and a plain search page."""

import sys
from argparse import ArgumentParser
from itertools import chain

from rocketqa.cli.flags import NumberType, VerbParser, to_text
from rocketqa.cli.search_flags import (
    add_search_flags,
    refuse_odd_uri,
    refuse_weight_alone,
)
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import PORT
from rocketqa.search.answer import RERANK_DEPTH, refuse_without_cross_encoder

EXAMPLE = (
    "rocketqa serve --checkpoint checkpoints/dual_encoder --collection collection.tsv "
    "--passage-vectors vectors/collection --port 8000"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa serve", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_search_flags(parser)
    parser.add_argument(
        "--host",
        type=to_text,
        default="127.0.0.1",
        help="address to listen at (default: %(default)s, which only this machine can reach); "
        "the service asks for no password",
    )
    parser.add_argument(
        "--port",
        type=NumberType(PORT),
        default=8000,
        help="TCP port; 0 takes any free port (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    try:
        from rocketqa.search import server
        from rocketqa.search.search_request import LARGEST_DEPTH
        from rocketqa.search.service import application
    except ImportError as error:
        raise DataError(
            f"expected {error.name}, got none: pip install 'rocketqa[serve]'"
        ) from error
    from rocketqa.search.retriever import load_retriever
    from rocketqa.search.vector_check import VectorCheck

    refuse_odd_uri(args)
    refuse_weight_alone(args)
    refuse_without_cross_encoder(args.cross_encoder, args.rerank_depth, args.cross_encoder_weight)
    largest_depth = min(LARGEST_DEPTH, args.rerank_depth or LARGEST_DEPTH)
    bound = server.bind(args.host, args.port)  # a port that is in use fails before the models load
    folders = list(chain.from_iterable(args.passage_vectors))
    retriever = load_retriever(
        args.checkpoint,
        args.collection,
        folders,
        args.max_memory,
        args.cross_encoder,
        args.query_length,
        args.max_length,
        check_vectors=False,
        rerank_depth=args.rerank_depth,
        index=args.index,
        uri=args.uri,
        milvus_collection=args.milvus_collection,
        bm25_index=args.bm25_index,
        bm25_weight=args.bm25_weight,
        cross_encoder_weight=args.cross_encoder_weight,
    )
    indexes = [folder for folder in (args.index, args.bm25_index) if folder]
    check = VectorCheck([*folders, *indexes])
    check.start()
    app = application(
        retriever.answer,
        passage_count=len(retriever.collection),
        rerank_depth=(args.rerank_depth or RERANK_DEPTH) if args.cross_encoder else None,
        hosts=server.accepted_hosts(bound, args.host),
        is_checking=check.is_running,
        largest_depth=largest_depth,
        fuses=retriever.kind.fuses,
        weighs=retriever.kind.weighs,
    )

    def print_address() -> None:
        print(server.url_of(bound, args.host), file=sys.stderr, flush=True)

    try:
        retriever.warm_up(largest_depth)
        server.serve(app, bound, print_address)
    finally:
        check.raise_fault()
    return 0
