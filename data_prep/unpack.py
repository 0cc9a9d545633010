"""Unpack a tar or zip archive of regular files: `python data_prep/unpack.py ARCHIVE --output FOLDER`."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from sources import run

from rocketqa.jobs.unpack import unpack


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/unpack.py", description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Unpacks the archive and returns the exit status."""

    def unpack_it(args) -> None:
        unpack(args.archive, args.output)

    return run(build_parser(), unpack_it, argv)


if __name__ == "__main__":
    sys.exit(main())
