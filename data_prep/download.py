"""Fetch a file over HTTP so that it is whole or not there: `python data_prep/download.py URL --output FILE`."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from sources import run

from rocketqa.jobs.download import Patience, Source, fetch


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/download.py", description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", type=int, help="bytes, where known")
    parser.add_argument("--md5")
    parser.add_argument("--sha256")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds of silence before another try"
    )
    parser.add_argument("--tries", type=int, default=6, help="tries without progress")
    parser.add_argument(
        "--pause",
        type=float,
        default=1.0,
        help="seconds before the second try; doubled for each more",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Fetches the file and returns the exit status."""

    def fetch_it(args) -> None:
        source = Source(args.url, args.size, args.md5, args.sha256)
        fetch(source, args.output, Patience(args.timeout, args.tries, args.pause))

    return run(build_parser(), fetch_it, argv)


if __name__ == "__main__":
    sys.exit(main())
