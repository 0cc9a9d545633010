"""Downloads a file over HTTP; the file is complete or absent."""

import sys
from argparse import ArgumentParser, Namespace

from builds import run_script, script_parser

from rocketqa.cli.flags import NumberType, to_path, to_text
from rocketqa.files.ranges import BYTES_OF_FILE, FROM_0, SECONDS, WHOLE_FROM_1
from rocketqa.jobs.download import Patience, Source, fetch


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "download.py",
        "Download a file over HTTP. A download that was interrupted continues where it stopped.",
        "python data_prep/download.py https://dl.fbaipublicfiles.com/dpr/data/retriever/"
        "nq-test.qa.csv \\\n      --output data/nq/downloads/nq-test.qa.csv",
    )
    parser.add_argument("url", type=to_text, help="address of the file, http or https")
    parser.add_argument("--output", type=to_path, required=True, help="file to write")
    parser.add_argument(
        "--size", type=NumberType(BYTES_OF_FILE), help="expected bytes (default: not checked)"
    )
    parser.add_argument(
        "--md5", type=to_text, help="expected md5, hexadecimal (default: not checked)"
    )
    parser.add_argument(
        "--sha256", type=to_text, help="expected sha256, hexadecimal (default: not checked)"
    )
    parser.add_argument(
        "--timeout",
        type=NumberType(SECONDS),
        default=60.0,
        help="seconds without data after which the request is repeated (default: %(default)s)",
    )
    parser.add_argument(
        "--tries",
        type=NumberType(WHOLE_FROM_1),
        default=6,
        help="attempts without progress before giving up (default: %(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=NumberType(FROM_0),
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
