"""Sets some of your labelled queries apart, to measure on them what is trained on the others.

    queries.train.tsv qrels.train.tsv    the queries to train on, and their labels
    queries.dev.tsv qrels.dev.tsv        those to measure on
    queries.unlabelled.tsv               the queries without a relevant passage, if there are any

A dev query is drawn by the seed and its text, so the draw does not depend on the other queries.
Queries with the same text go to the same part, and an unlabelled one that repeats a dev query is
left out: a model must not be trained on what it is measured on.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from builds import BuildSettings, add_check_flag, make_file, run_script, script_parser
from sample_queries import add_labelled_queries
from split_queries import held_out

from rocketqa.cli.flags import NumberType, to_path
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Qrel, Query, line_of, read_qrels, read_queries
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1
from rocketqa.files.rows import Check, normalize_text

UNLABELLED = "queries.unlabelled.tsv"
REPEATS = "queries left out, because they repeat a dev query"


class Parts(NamedTuple):
    """The queries of each part, in the order of their file."""

    train: list[Query]
    dev: list[Query]
    unlabelled: list[Query]
    notes: Counter[str]  # what was left out


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "split_labelled.py",
        "Split labelled queries into those to train on and those to measure on.",
        "python data_prep/split_labelled.py --queries queries.tsv --qrels qrels.tsv \\\n"
        "      --dev-queries 500 --seed 1 --output data/mine",
    )
    parser.add_argument(
        "--output", type=to_path, required=True, metavar="DIR", help="folder to make them in"
    )
    add_labelled_queries(parser)
    parser.add_argument(
        "--dev-queries",
        type=NumberType(WHOLE_FROM_1),
        default=500,
        help="number of texts of queries to measure on; at most a tenth of the labelled ones, and "
        "at least one (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=NumberType(ANY_WHOLE), default=1, help="seed of the draw (default: 1)"
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the files that are not up to date, and returns the exit status."""
    queries = read_queries(args.queries)
    qrels = read_qrels(args.qrels, Check(query_ids=queries))
    parts = split(queries, qrels, args.dev_queries, args.seed)
    if not parts.train:
        raise DataError(
            f"{args.qrels}: expected relevant passages of 2 queries with different texts or more, "
            f"got those of {len(parts.dev)}"
        )
    files = dict(files_of(parts, qrels))
    for source in (args.queries, args.qrels):
        if source.resolve() in {(args.output / name).resolve() for name in files}:
            raise DataError(f"{source}: expected a file that is read, not written: rename it")
    settings = BuildSettings(args.output, None, args.output, counts="any", check=args.check)
    statuses = []
    for name, lines in files.items():
        status = make_file(
            settings,
            "split-labelled",
            name,
            lines,
            inputs={"queries": args.queries, "qrels": args.qrels},
            notes=parts.notes if name == UNLABELLED else None,
            flags={"dev_queries": args.dev_queries, "seed": args.seed},
        )
        statuses.append(status)
    return max(statuses)


def split(queries: dict[str, Query], qrels: list[Qrel], dev: int, seed: int) -> Parts:
    """Returns the parts. dev: how many labelled texts are measured on; at most a tenth is."""
    labelled = {qrel.query_id for qrel in qrels if qrel.relevance >= 1}
    text_of = {query_id: normalize_text(query.text) for query_id, query in queries.items()}
    texts = list(dict.fromkeys(text_of[query_id] for query_id in queries if query_id in labelled))
    drawn = held_out(texts, dev, seed)
    parts = Parts([], [], [], Counter())
    for query_id, query in queries.items():
        is_drawn = text_of[query_id] in drawn
        if query_id in labelled:
            (parts.dev if is_drawn else parts.train).append(query)
        elif is_drawn:
            parts.notes[REPEATS] += 1
        else:
            parts.unlabelled.append(query)
    return parts


def files_of(parts: Parts, qrels: list[Qrel]) -> Iterator[tuple[str, list[str]]]:
    """Yields the name of each file and its lines; none of unlabelled queries without any."""
    for name, part in (("train", parts.train), ("dev", parts.dev)):
        query_ids = {query.query_id for query in part}
        yield f"queries.{name}.tsv", [line_of(query) for query in part]
        yield f"qrels.{name}.tsv", [line_of(qrel) for qrel in qrels if qrel.query_id in query_ids]
    if parts.unlabelled:
        yield UNLABELLED, [line_of(query) for query in parts.unlabelled]


if __name__ == "__main__":
    sys.exit(main())
