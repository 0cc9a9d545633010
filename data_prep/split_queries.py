"""Splits a query log without labels: most queries are trained on, some are held out.

    queries.log_train.tsv      the queries that a training may use
    queries.log_judged.tsv     those that a model is measured on

A query is held out by the seed and its id, so that it does not depend on the order of the file.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from builds import run_script, script_parser
from sample_queries import drawn_queries

from rocketqa.cli.flags import NumberType, add_job_flags, job_of, to_file
from rocketqa.files.errors import DataError
from rocketqa.files.formats import line_of, read_queries, write_lines
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1

PARTS = ("log_train", "log_judged")
MOST = 10  # the held-out part has at most one query in this many


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "split_queries.py",
        "Split a query log into queries to train on and a part that is held out.",
        "python data_prep/split_queries.py --queries data/toy/queries.unlabelled.tsv \\\n"
        "      --count 500 --seed 1 --output output/log",
    )
    add_job_flags(parser)
    parser.add_argument("--queries", type=to_file, required=True, help="rows of query_id, text")
    parser.add_argument(
        "--count",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        help="number of queries in the held-out part; at most a tenth of all, and at least one",
    )
    parser.add_argument(
        "--seed", type=NumberType(ANY_WHOLE), required=True, help="seed of the draw"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Writes the folder and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Writes the folder unless it is up to date, and returns the exit status."""
    job = job_of("split_queries", args, inputs=("queries",)).of_folder()

    def write(part: Path) -> None:
        queries = read_queries(args.queries)
        if len(queries) < len(PARTS):
            raise DataError(
                f"{args.queries}: expected {len(PARTS)} queries or more, got {len(queries)}"
            )
        counts = []
        for name, query_ids in parts_of(list(queries), args.count, args.seed):
            lines = (line_of(queries[query_id]) for query_id in query_ids)
            write_lines(part / f"queries.{name}.tsv", lines)
            counts.append(f"{name} {len(query_ids)}")
        print(f"{args.output}: {', '.join(counts)} of {len(queries)} queries")

    return job.run(write, args.check)


def held_out(items: Sequence[str], count: int, seed: int) -> set[str]:
    """Returns the drawn items: `count`, but at most one in MOST, and at least one."""
    return set(drawn_queries(items, max(1, min(count, len(items) // MOST)), seed))


def parts_of(query_ids: Sequence[str], count: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Yields the name of each part and its queries, in their order."""
    judged = held_out(query_ids, count, seed)
    trained = set(query_ids) - judged
    for name, part in zip(PARTS, (trained, judged)):
        yield name, [query_id for query_id in query_ids if query_id in part]


if __name__ == "__main__":
    sys.exit(main())
