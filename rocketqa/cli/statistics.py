"""Count the queries and passages of a flight and their words (the paper's table 1); prints measure<TAB>value lines."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator

from rocketqa.cli.flags import add_job_flags
from rocketqa.files.formats import Passage, Query, iterate_collection, read_queries, write_lines
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa statistics", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--collection", type=InputPath, required=True)
    parser.add_argument(
        "--queries", type=InputPath, nargs="+", required=True, help="files queries.SPLIT.tsv"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("statistics", args)
    status = job.status_if_done(args.check)
    if status is None:
        with job as part:
            write_lines(part / args.output.name, _lines(args))
    if not args.check:
        print(args.output.read_text(encoding="utf-8"), end="")
    return status or 0


def _lines(args) -> Iterator[str]:
    counts = {
        path.name.removesuffix(".tsv"): counted(read_queries(path).values())
        for path in args.queries
    }
    for name, (rows, _) in counts.items():
        yield f"{name}\t{rows}"
    passages, words = counted(iterate_collection(args.collection))
    yield f"collection\t{passages}"
    yield f"query_words\t{sum(own for _, own in counts.values()) / sum(rows for rows, _ in counts.values())!r}"
    yield f"passage_words\t{words / passages!r}"


def counted(records: Iterable[Query | Passage]) -> tuple[int, int]:
    """Returns how many records there are and how many words their texts have between blanks."""
    rows = words = 0
    for record in records:
        rows, words = rows + 1, words + len(record.text.split())
    return rows, words
