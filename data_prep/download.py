"""Downloads a file over HTTP; the file is complete or absent."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from builds import run_script, script_parser

from rocketqa.jobs.download import Patience, Source, fetch


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "download.py",
        "Download a file over HTTP. A download that was interrupted continues where it stopped.",
        "python data_prep/download.py https://dl.fbaipublicfiles.com/dpr/data/retriever/"
        "nq-test.qa.csv \\\n      --output data/nq/downloads/nq-test.qa.csv",
    )
    parser.add_argument("url", help="address of the file, http or https")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument("--size", type=int, help="expected bytes (default: not checked)")
    parser.add_argument("--md5", help="expected md5, hexadecimal (default: not checked)")
    parser.add_argument("--sha256", help="expected sha256, hexadecimal (default: not checked)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        help="seconds without data after which the request is repeated (default: %(default)s)",
    )
    parser.add_argument(
        "--tries",
        type=int,
        default=6,
        help="attempts without progress before giving up (default: %(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=float,
        default=1.0,
        help="seconds before the second attempt; doubled before each further one "
        "(default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Downloads the file and returns the exit status."""
    return run_script(build_parser(), download, argv)


def download(args: Namespace) -> None:
    """Downloads the file that the flags describe."""
    source = Source(args.url, args.size, args.md5, args.sha256)
    fetch(source, args.output, Patience(args.timeout, args.tries, args.pause))


if __name__ == "__main__":
    sys.exit(main())
