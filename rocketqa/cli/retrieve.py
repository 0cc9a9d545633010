"""Retrieve each query's best passages by inner product (exact, faiss) into a TREC run."""
from argparse import ArgumentParser
from pathlib import Path

from rocketqa.artefacts import Job
from rocketqa.flags import InputPath, add_format_flag, add_job_flags


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa retrieve", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--query-vectors", type=InputPath, required=True)
    parser.add_argument("--passage-vectors", type=InputPath, required=True)
    parser.add_argument("--depth", type=int, required=True, help="passages a query, at most")
    add_format_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("retrieve", args)
    status = job.settle(args.check)
    if status is not None:
        return status
    from rocketqa.formats import write_lines
    from rocketqa.index import search
    from rocketqa.runs import run_lines

    with job as part:
        rankings = search(Path(args.query_vectors), Path(args.passage_vectors), args.depth)
        job.facts = {"rows": write_lines(part / args.output.name,
                                         (line for ranking in rankings for line in run_lines(ranking, args.format)))}
    return 0
