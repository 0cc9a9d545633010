"""Unpacks a tar or zip archive of regular files into a folder; the folder is complete or absent."""

import sys
from argparse import ArgumentParser, Namespace

from builds import run_script, script_parser

from rocketqa.cli.flags import to_path
from rocketqa.jobs.unpack import unpack


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "unpack.py",
        "Unpack a tar or zip archive. Links, devices and paths outside of the folder are refused.",
        "python data_prep/unpack.py data/marco/downloads/marco.tar.gz --output data/marco/corpus",
    )
    parser.add_argument(
        "archive", type=to_path, help="tar archive, compressed or not, or zip archive"
    )
    parser.add_argument("--output", type=to_path, required=True, help="folder to make")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Unpacks the archive and returns the exit status."""
    return run_script(build_parser(), unpack_archive, argv)


def unpack_archive(args: Namespace) -> None:
    """Unpacks the archive that the flags name."""
    unpack(args.archive, args.output)


if __name__ == "__main__":
    sys.exit(main())
