"""Search an encoded collection in the terminal and print the best passages for each query."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator

from rocketqa.cli.flags import add_search_flags, positive

EXAMPLE = (
    "rocketqa search 'who wrote the first letter' --checkpoint checkpoints/dual_encoder "
    "--collection collection.tsv --passage-vectors vectors/collection"
)
PROMPT = "query> "


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa search", description=__doc__, epilog=f"example: {EXAMPLE}")
    parser.add_argument(
        "query",
        nargs="?",
        metavar="QUERY",
        help="text to search for (default: each line from the terminal or a pipe is a query)",
    )
    add_search_flags(parser)
    parser.add_argument(
        "--depth",
        type=positive,
        default=10,
        help="number of passages to retrieve and show (default: %(default)s)",
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
    queries = [args.query] if args.query is not None else _lines()
    for query in queries:
        for rank, answer in enumerate(retriever.answer(query, args.depth), 1):
            print(f"{rank}\t{answer.score:.6g}\t{answer.passage_id}\t{answer.title}")
            print(f"\t{answer.text}")
        print(flush=True)
    return 0


def _lines() -> Iterator[str]:
    """Yields queries from a pipe, or from the terminal with a prompt. Empty lines are skipped."""
    while True:
        if sys.stdin.isatty():
            print(PROMPT, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        query = line.strip()
        if query:
            yield query
