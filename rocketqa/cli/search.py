"""Ask an encoded collection: the best passages for a query, or for each line that comes in, with title and score."""
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from rocketqa.flags import memory, positive, text_length

PROMPT = "query> "


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa search", description=__doc__)
    parser.add_argument("query", nargs="?", metavar="QUERY", help="without it: each line of the terminal or a pipe")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the dual encoder that encoded the collection")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--passage-vectors", type=Path, required=True, nargs="+", metavar="DIR",
                        help="one folder, or those of all shards of an encoding")
    parser.add_argument("--cross-encoder", type=Path, metavar="DIR", help="ranks what is retrieved anew")
    parser.add_argument("--depth", type=positive, default=10, help="passages to retrieve and show (default: 10)")
    parser.add_argument("--query-length", type=text_length, default=32, help="tokens, [CLS] and [SEP] included")
    parser.add_argument("--max-length", type=text_length, default=160, help="tokens of a pair, special ones included")
    parser.add_argument("--max-memory", type=memory, default="4GiB", metavar="BYTES",
                        help="of passage vectors in memory at a time, such as 500MB or 4GiB (default: 4GiB); what does "
                             "not fit is read for every query")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.retriever import load_retriever

    retriever = load_retriever(args.checkpoint, args.collection, args.passage_vectors, args.max_memory,
                               args.cross_encoder, args.query_length, args.max_length)
    for query in [args.query] if args.query is not None else _lines():
        for rank, answer in enumerate(retriever.answer(query, args.depth), 1):
            print(f"{rank}\t{answer.score:.6g}\t{answer.passage_id}\t{answer.title}\n\t{answer.text}")
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
