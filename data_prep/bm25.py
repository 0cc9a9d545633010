"""Retrieves passages with BM25, the baseline beside the models of a pipeline run.

The terms and the formula are those of `rocketqa/search/bm25.py`. Passages that share no term with a
query are not retrieved. Text without blanks, as Chinese, has bigrams where a query holds such text;
if none does, the words of all texts are those of bm25s.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from builds import run_script, script_parser

from rocketqa.cli.bm25_flags import add_bm25_flags, bm25_settings, flags_of_default
from rocketqa.cli.flags import NumberType, add_job_flags, job_of, to_path
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.packages import import_package
from rocketqa.files.ranges import WHOLE_FROM_1
from rocketqa.files.runs import ranked, run_lines
from rocketqa.search.bm25 import Bm25Settings, needs_bigrams, retrieved


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "bm25.py",
        "Retrieve passages with BM25 and write a TREC run.",
        "python data_prep/bm25.py --collection data/toy/collection.tsv \\\n"
        "      --queries data/toy/queries.dev.tsv --depth 50 --output output/bm25.dev.run",
    )
    add_job_flags(parser)
    parser.add_argument(
        "--collection", type=to_path, required=True, help="rows of passage_id, title, text"
    )
    parser.add_argument("--queries", type=to_path, required=True, help="rows of query_id, text")
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        help="largest number of passages for a query",
    )
    add_bm25_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Writes the run and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Writes the run unless it is up to date, and returns the exit status."""
    terms_of_job = {}
    if needs_bigrams(read_queries(args.queries)):
        terms_of_job["terms"] = "bigrams"
    inputs = ("collection", "queries")
    job = job_of("bm25", args, inputs, flags_of_default(args), **terms_of_job)

    def write(part: Path) -> None:
        import_package("bm25s", "package bm25s", "it to be installed")
        lines = bm25_lines(args.collection, args.queries, args.depth, bm25_settings(args))
        write_lines(part / args.output.name, lines)

    return job.run(write, args.check)


def bm25_lines(
    collection_path: Path,
    queries_path: Path,
    depth: int,
    settings: Bm25Settings,
) -> Iterator[str]:
    """Yields the lines of the run, at most `depth` for each query; none if no text has a word."""
    queries = read_queries(queries_path)
    for query_id, found in retrieved(queries, read_collection(collection_path), depth, settings):
        yield from run_lines(ranked(query_id, found))


if __name__ == "__main__":
    sys.exit(main())
