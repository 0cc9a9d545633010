"""Builds queries.unlabelled.tsv, the queries of stage 4 that have no labels.

The sources are those that the paper combines (section 4.1 and the released code), from the released
archive augment.tar.gz, with lines of query_id and text: for MS MARCO the queries of Yahoo! Answers,
ORCAS and Natural Questions (orcas_yahoo_nq.query.txt), for Natural Questions those of MRQA
(mrqa.query.txt). The paper gives 1.7 million as their total number; no exact number is published.

--queries adds files of your own, in the same form or with the text alone. The following are left
out, counted and reported: empty queries, queries that occurred before, and queries of the --exclude
files (default: the train, dev and test queries beside the output). Two queries are the same if they
differ only in case, in further spaces or in a "?", "!" or "." at the end. The ids are new,
`unlabelled-1` and so on, because the ids of the sources are numbers that training queries use too.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from builds import (
    BuildSettings,
    add_build_flags,
    make_file,
    run_script,
    script_parser,
    settings_of,
)
from releases import RELEASED_AUGMENT, folder_of
from sources import read_foreign

from rocketqa.cli.flags import to_path
from rocketqa.files.errors import DataError

FILES = {"marco": "orcas_yahoo_nq.query.txt", "nq": "mrqa.query.txt"}
LABELLED = ("queries.train.tsv", "queries.dev.tsv", "queries.test.tsv")


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "unlabelled_queries.py",
        "Build queries.unlabelled.tsv, the queries of stage 4 that have no labels.",
        "python data_prep/unlabelled_queries.py --dataset marco --output data/marco",
    )
    add_build_flags(parser, "folder that gets queries.unlabelled.tsv")
    parser.add_argument(
        "--dataset",
        choices=(*FILES, "none"),
        required=True,
        help="whose unlabelled queries are used; none: only those of --queries",
    )
    parser.add_argument(
        "--queries",
        type=to_path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="further files with lines of query_id and text, or of text alone (default: none)",
    )
    parser.add_argument(
        "--exclude",
        type=to_path,
        nargs="+",
        metavar="FILE",
        help="files with queries that are left out (default: those of "
        f"{', '.join(LABELLED)} that exist in OUTPUT)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the file and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the file unless it is up to date, and returns the exit status."""
    settings = settings_of(args)
    sources = list(args.queries)
    if args.dataset != "none":
        name = FILES[args.dataset]
        sources.insert(0, folder_of(RELEASED_AUGMENT, settings, name) / name)
    excluded = args.exclude or labelled_files(settings)
    inputs = {f"queries_{number}": path for number, path in enumerate(sources)}
    inputs |= {f"exclude_{number}": path for number, path in enumerate(excluded)}
    notes: Counter[str] = Counter()
    return make_file(
        settings,
        "unlabelled queries",
        "queries.unlabelled.tsv",
        query_lines(sources, excluded, notes),
        inputs=inputs,
        notes=notes,
    )


def labelled_files(settings: BuildSettings) -> list[Path]:
    """Returns the files of labelled queries beside the output. Raises DataError without any."""
    paths = [settings.output / name for name in LABELLED]
    existing = [path for path in paths if path.is_file()]
    if not existing:
        raise DataError(
            f"{settings.output}: expected {LABELLED[0]} or --exclude FILES, got no queries to "
            "leave out"
        )
    return existing


def query_lines(sources: list[Path], excluded: list[Path], notes: Counter[str]) -> Iterator[str]:
    """Yields the new queries in the order of the files, with 16 bytes in memory for each."""
    labelled = set()
    for path in excluded:
        for _, columns in read_foreign(path, (2,)):
            labelled.add(_key(columns[-1]))
    seen: set[bytes] = set()
    for path in sources:
        for _, columns in read_foreign(path, (1, 2)):
            text = " ".join(columns[-1].split())
            key = _key(text)
            if not text:
                notes["empty queries left out"] += 1
            elif key in labelled:
                notes["labelled queries left out"] += 1
            elif key in seen:
                notes["repeated queries left out"] += 1
            else:
                seen.add(key)
                yield f"unlabelled-{len(seen)}\t{text}"


def _key(text: str) -> bytes:
    """Returns a digest that is equal for all wordings of one query."""
    words = " ".join(text.casefold().split())
    return blake2b(words.rstrip(" ?!.").encode(), digest_size=16).digest()


if __name__ == "__main__":
    sys.exit(main())
