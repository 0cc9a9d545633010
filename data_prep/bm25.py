"""Retrieve with BM25 (the bm25s library, Lucene's formula, k1 0.9, b 0.4): the baseline beside a flight's models."""

import sys
from argparse import ArgumentParser

from rocketqa.cli.flags import add_job_flags
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.runs import ranked, run_lines
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/bm25.py", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--collection", type=InputPath, required=True)
    parser.add_argument("--queries", type=InputPath, required=True)
    parser.add_argument("--depth", type=int, required=True, help="passages a query, at most")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Writes the run and returns the exit status."""
    args = build_parser().parse_args(argv)
    job = Job("bm25", args)
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    import bm25s

    collection, queries = read_collection(args.collection), read_queries(args.queries)
    quiet = {"show_progress": False}
    retriever = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    retriever.index(
        bm25s.tokenize(
            [f"{passage.title} {passage.text}" for passage in collection.values()], **quiet
        ),
        **quiet,
    )
    tokens = bm25s.tokenize([query.text for query in queries.values()], **quiet)
    ids, scores = retriever.retrieve(
        tokens, corpus=list(collection), k=min(args.depth, len(collection)), **quiet
    )
    with job as part:
        write_lines(
            part / args.output.name,
            (
                line
                for query_id, found, values in zip(queries, ids.tolist(), scores.tolist())
                for line in run_lines(
                    ranked(query_id, ((i, value) for i, value in zip(found, values) if value > 0))
                )
            ),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
