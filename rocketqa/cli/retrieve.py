"""Retrieve each query's best passages by inner product (exact, faiss) into a TREC run."""

import sys
from argparse import ArgumentParser

from rocketqa.cli.flags import add_format_flag, add_job_flags, memory, positive
from rocketqa.jobs.atomic_files import join_pieces, write_piece
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

CHUNK_QUERIES = 16384  # searched at once, then kept: a kill costs no more


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa retrieve", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--query-vectors", type=InputPath, required=True)
    parser.add_argument(
        "--passage-vectors",
        type=InputPath,
        required=True,
        nargs="+",
        metavar="DIR",
        help="one folder, or those of all shards of an encoding",
    )
    parser.add_argument("--depth", type=positive, required=True, help="passages a query, at most")
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="of passage vectors in memory at a time, such as 500MB or 4GiB (default: 4GiB); the run "
        "is the same whatever it is",
    )
    parser.add_argument(
        "--index",
        metavar="FACTORY",
        help="search approximately, with an index that faiss makes of this string, such as HNSW32 or "
        "IVF4096,PQ64; prints its overlap with exact search on a sample of the queries",
    )
    parser.add_argument(
        "--index-parameters",
        default="",
        metavar="NAME=VALUE,...",
        help="of the index while it searches, such as nprobe=32 or efSearch=128",
    )
    add_format_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("retrieve", args, not_identity=("max_memory",))
    status = job.status_if_done(args.check)
    return _retrieve(job, args) if status is None else status


def _retrieve(job: Job, args) -> int:
    from rocketqa.files.runs import ranked, run_lines
    from rocketqa.jobs.progress import bar
    from rocketqa.search.index import ApproximateSearch, ExactSearch, overlap
    from rocketqa.search.vectors import VectorStore, check_same_encoder

    queries, passages = VectorStore([args.query_vectors]), VectorStore(args.passage_vectors)
    check_same_encoder(queries, passages)
    search = exact = ExactSearch(passages, args.max_memory)
    begins = range(0, len(queries), CHUNK_QUERIES)
    with (
        job as part,
        bar(
            total=len(begins) * len(passages), unit="passage", unit_scale=True, desc="retrieve"
        ) as shown,
    ):
        if args.index:
            search = ApproximateSearch(passages, args.index, args.index_parameters, args.max_memory)
            share = overlap(
                search, exact, queries.read(0, min(CHUNK_QUERIES, len(queries))), args.depth
            )
            print(
                f"{args.index}: finds {share:.4f} of the exact best {args.depth}", file=sys.stderr
            )
            job.facts["overlap"] = share
        files = [part / f"chunk-{number:06}" for number in range(len(begins))]
        for begin, file in zip(begins, files):
            if file.is_file():
                shown.update(len(passages))
                continue
            end = min(begin + CHUNK_QUERIES, len(queries))
            query_ids = (query_id.decode() for query_id in queries.ids[begin:end])
            found = search.search(queries.read(begin, end), args.depth, shown)
            write_piece(
                file,
                (
                    line
                    for query_id, scores in zip(query_ids, found)
                    for line in run_lines(ranked(query_id, scores), args.format)
                ),
            )
        job.facts["rows"] = join_pieces(files, part / args.output.name)
    return 0
