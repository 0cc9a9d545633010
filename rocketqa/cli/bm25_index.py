"""Make a BM25 index of a collection that `search` and `serve` open beside the vectors."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.bm25_flags import add_bm25_flags, bm25_settings
from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path

EXAMPLE = "rocketqa bm25-index --collection collection.tsv --stemmer english --output vectors/bm25"


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa bm25-index", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--collection",
        type=to_path,
        required=True,
        nargs="+",
        metavar="FILE",
        help="the collection.tsv, and those of passages that were added, as `search` gets them",
    )
    add_bm25_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("bm25-index", args, inputs=("collection",), stemmer=args.stemmer or "").of_folder()

    def make(part: Path) -> None:
        from rocketqa.search.bm25_index import write_bm25_index

        job.facts.update(write_bm25_index(args.collection, bm25_settings(args), part))

    return job.run(make, args.check)
