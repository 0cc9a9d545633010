"""Print every fault of the files in a folder, a line each, then how many there are of each class.

The exit status is 2 if there is any fault. Without one, the number of rows of each file is printed.
A run whose ranks contradict its scores is no fault, but is named. Passages and queries with the
same text under several ids are counted, and the first are named, but they are no fault: published
collections have them.
"""

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rocketqa.cli.flags import VerbParser, to_path
from rocketqa.files.errors import DataError, Fault
from rocketqa.files.published_forms import why_skipped
from rocketqa.files.validation import DataFolder
from rocketqa.jobs.digests import refuse_damaged

EXAMPLE = "rocketqa validate data/mine"


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa validate", description=__doc__, epilog=f"example: {EXAMPLE}")
    parser.add_argument(
        "folder",
        metavar="DATA_DIR",
        type=to_path,
        help="a folder with collection.tsv, queries.SPLIT.tsv, qrels.SPLIT.tsv (the passages that "
        "are relevant to each query), answers.SPLIT.tsv, *.run (what was retrieved for each "
        "query), examples.dual*.tsv and examples.cross*.tsv, or some of them; SPLIT names a "
        "part of the queries, such as train, dev or unlabelled",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    counts: Counter[str] = Counter()

    def print_and_count(fault: Fault) -> None:
        print(fault)
        counts[fault.kind] += 1

    folder = DataFolder(args.folder, print_and_count)
    for name in folder.skipped:
        print(f"{args.folder / name}: skipped: {why_skipped(name)}", file=sys.stderr)
    for line in folder.missing_references():
        print(f"{args.folder}/{line}", file=sys.stderr)
    folder.read()
    for line in folder.notes:
        print(line, file=sys.stderr)
    for line in _damaged_files(args.folder):
        print(line)
        counts["damaged files"] += 1
    for kind, count in sorted(counts.items()):
        print(f"{kind}\t{count}")
    if counts:
        return 2
    print(", ".join(f"{name} {count} rows" for name, count in folder.row_counts.items()))
    return 0


def _damaged_files(folder: Path) -> Iterator[str]:
    """Yields a line for each file that has other bytes than its manifest lists."""
    for path in sorted(folder.iterdir()):
        try:
            refuse_damaged(path if path.is_file() else None)
        except DataError as error:
            yield str(error)
