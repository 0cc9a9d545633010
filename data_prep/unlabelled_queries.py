"""Build queries.unlabelled.tsv: `python data_prep/unlabelled_queries.py --dataset marco --output data/marco`.

The unlabelled queries of stage 4 as the paper combines them (section 4.1, released code): for MS MARCO those of
Yahoo! Answers, ORCAS and Natural Questions (orcas_yahoo_nq.query.txt), for Natural Questions those of MRQA
(mrqa.query.txt), from the released corpus/augment (augment.tar.gz), lines of query_id and text. The paper counts 1.7
million over all; no exact count is published.

--queries adds files of your own, in the same form or with the text alone. Left out, counted and said: empty queries,
queries that came before, and queries that --exclude files ask (default: the train, dev and test queries beside the
output), all compared without case, further spaces and a last ?, ! or full stop. Ids are made anew, `unlabelled-1` ...,
for the sources' are numbers that training queries have, too.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from releases import RELEASED_AUGMENT, add_source_flags, folder_of, settle_source_flags
from sources import make_file, read_foreign, run

from rocketqa.files.errors import DataError

FILES = {"marco": "orcas_yahoo_nq.query.txt", "nq": "mrqa.query.txt"}
LABELLED = ("queries.train.tsv", "queries.dev.tsv", "queries.test.tsv")


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/unlabelled_queries.py", description=__doc__.splitlines()[0])
    add_source_flags(parser, "folder that gets queries.unlabelled.tsv")
    parser.add_argument(
        "--dataset",
        choices=(*FILES, "none"),
        required=True,
        help="whose unlabelled queries; none: those of --queries alone",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        nargs="+",
        default=[],
        help="more files: query_id, text, or text alone",
    )
    parser.add_argument(
        "--exclude", type=Path, nargs="+", help="files of queries that must not be among them"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the file and returns the exit status."""
    return run(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the file where it is not up to date."""
    settle_source_flags(args)
    sources = list(args.queries)
    if args.dataset != "none":
        sources.insert(
            0, folder_of(RELEASED_AUGMENT, args, FILES[args.dataset]) / FILES[args.dataset]
        )
    excluded = args.exclude or [
        args.output / name for name in LABELLED if (args.output / name).is_file()
    ]
    if not excluded:
        raise DataError(
            f"{args.output}: expected {LABELLED[0]} or --exclude FILES, got no queries to leave out"
        )
    inputs = {f"queries_{i}": path for i, path in enumerate(sources)}
    inputs |= {f"exclude_{i}": path for i, path in enumerate(excluded)}
    return make_file(
        "unlabelled queries",
        args,
        "queries.unlabelled.tsv",
        inputs,
        lambda notes: query_lines(sources, excluded, notes),
    )


def query_lines(sources: list[Path], excluded: list[Path], notes: Counter) -> Iterator[str]:
    """Yields the queries that are new, in the order of the files; 16 bytes are kept of each."""
    labelled = {_key(columns[-1]) for path in excluded for _, columns in read_foreign(path, (2,))}
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
    """Returns what two wordings of one query have in common."""
    return blake2b(
        " ".join(text.casefold().split()).rstrip(" ?!.").encode(), digest_size=16
    ).digest()


if __name__ == "__main__":
    sys.exit(main())
