"""Validate a folder of files: every fault in a line of its own, counts by class; exit status 2 on any."""

import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path

from rocketqa.files.errors import Fault
from rocketqa.files.validation import Folder


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa validate", description=__doc__)
    parser.add_argument(
        "folder",
        metavar="DATA_DIR",
        type=Path,
        help="collection.tsv, queries.SPLIT.tsv, "
        "qrels.SPLIT.tsv, answers.SPLIT.tsv, *.run, examples.dual*.tsv, examples.cross*.tsv",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    counts: Counter[str] = Counter()

    def note(fault: Fault) -> None:
        print(fault)
        counts[fault.kind] += 1

    folder = Folder(args.folder, note)
    for name in folder.skipped:
        print(
            f"{args.folder / name}: skipped, its name says of none of our files that it is one",
            file=sys.stderr,
        )
    for line in folder.unchecked():
        print(f"{args.folder}/{line}", file=sys.stderr)
    folder.read()
    if counts:
        print("\n".join(f"{kind}\t{count}" for kind, count in sorted(counts.items())))
        return 2
    print(", ".join(f"{name} {count} rows" for name, count in folder.rows.items()))
    return 0
