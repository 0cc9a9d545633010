"""Ask an encoded collection: the best passages for a query, or for each line that comes in, with title and score."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator

from rocketqa.cli.flags import add_search_flags, positive

PROMPT = "query> "


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa search", description=__doc__)
    parser.add_argument(
        "query", nargs="?", metavar="QUERY", help="without it: each line of the terminal or a pipe"
    )
    add_search_flags(parser)
    parser.add_argument(
        "--depth", type=positive, default=10, help="passages to retrieve and show (default: 10)"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.search.retriever import load_retriever

    retriever = load_retriever(
        args.checkpoint,
        args.collection,
        args.passage_vectors,
        args.max_memory,
        args.cross_encoder,
        args.query_length,
        args.max_length,
    )
    for query in [args.query] if args.query is not None else _lines():
        for rank, answer in enumerate(retriever.answer(query, args.depth), 1):
            print(
                f"{rank}\t{answer.score:.6g}\t{answer.passage_id}\t{answer.title}\n\t{answer.text}"
            )
        print(flush=True)
    return 0


def _lines() -> Iterator[str]:
    """Yields queries from the terminal, with a prompt, or from a pipe."""
    while True:
        if sys.stdin.isatty():
            print(PROMPT, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
