"""Draws labelled queries, with their labels, for what takes too long on all of them.

    queries.tsv     the drawn queries, in the order of the file
    qrels.tsv       their relevant passages

A query is drawn by the seed and its id, so the draw does not depend on the other queries. A flight
measures on such queries what is chosen on training queries (FUSE in the env files). What concerns
the cross encoder is chosen on those that were held out of its training (--held-out-pairs).
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from pathlib import Path

from builds import run_script, script_parser

from rocketqa.cli.flags import NumberType, add_job_flags, job_of, to_file, to_path
from rocketqa.evaluation.calibration import held_out_queries
from rocketqa.files.errors import DataError
from rocketqa.files.formats import line_of, read_positives, read_queries, write_lines
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1
from rocketqa.jobs.seeds import number
from rocketqa.training.plan import DRAWN_QUERIES


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "sample_queries.py",
        "Draw labelled queries, with their labels, into a folder.",
        "python data_prep/sample_queries.py --queries data/toy/queries.train.tsv \\\n"
        "      --qrels data/toy/qrels.train.tsv --seed 1 --output output/sample",
    )
    add_job_flags(parser)
    add_labelled_queries(parser)
    parser.add_argument(
        "--held-out-pairs",
        type=to_path,
        help="held_out.tsv of a cross encoder: only its queries are drawn (default: all may be)",
    )
    parser.add_argument(
        "--count",
        type=NumberType(WHOLE_FROM_1),
        default=DRAWN_QUERIES,
        help="number of queries; all labelled ones where there are no more (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=NumberType(ANY_WHOLE), required=True, help="seed of the draw"
    )
    return parser


def add_labelled_queries(parser: ArgumentParser) -> None:
    """Adds the flags that name queries and their labels."""
    parser.add_argument("--queries", type=to_file, required=True, help="rows of query_id, text")
    parser.add_argument(
        "--qrels",
        type=to_file,
        required=True,
        help="their labels: rows of query_id, 0, passage_id, relevance",
    )


def main(argv: list[str] | None = None) -> int:
    """Writes the folder and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Writes the folder unless it is up to date, and returns the exit status."""
    inputs = ("queries", "qrels", "held_out_pairs")
    job = job_of("sample_queries", args, inputs=inputs).of_folder()

    def write(part: Path) -> None:
        queries = read_queries(args.queries)
        positives = read_positives(args.qrels)
        labelled = [query_id for query_id in queries if query_id in positives]
        if not labelled:
            raise DataError(f"{args.qrels}: expected labels of queries of {args.queries}, got none")
        if args.held_out_pairs:
            labelled = _held_out(labelled, args.held_out_pairs)
        drawn = drawn_queries(labelled, args.count, args.seed)
        lines = []
        for query_id in drawn:
            lines += [f"{query_id}\t0\t{passage_id}\t1" for passage_id in positives[query_id]]
        write_lines(part / "queries.tsv", (line_of(queries[query_id]) for query_id in drawn))
        write_lines(part / "qrels.tsv", lines)
        print(f"{args.output}: {len(drawn)} of {len(labelled)} labelled queries")

    return job.run(write, args.check)


def _held_out(labelled: Sequence[str], pairs: Path) -> list[str]:
    """Returns those of the queries that were held out. Raises DataError where none is."""
    held_out = held_out_queries(pairs)
    found = [query_id for query_id in labelled if query_id in held_out]
    if not found:
        raise DataError(f"{pairs}: expected labelled queries among its pairs, got none")
    return found


def drawn_queries(query_ids: Collection[str], count: int, seed: int) -> list[str]:
    """Returns `count` of the queries, in their order; all where there are no more."""

    def place(query_id: str) -> int:
        return number(seed, "sample of queries", query_id, bits=64)

    drawn = set(sorted(query_ids, key=place)[:count])
    return [query_id for query_id in query_ids if query_id in drawn]


if __name__ == "__main__":
    sys.exit(main())
