"""Test this machine in two minutes: versions, GPUs, precision, all devices together, search, rates.

It needs no data and writes nothing. The table is what a report of a fault should have in it. Each
row says ok, wrong, or not there. The exit status is 2 if a row is wrong; the first one is then the
last line.
"""

from rocketqa.cli.flags import VerbParser
from rocketqa.doctor.examination import examine
from rocketqa.doctor.findings import WRONG
from rocketqa.files.errors import DataError

EXAMPLE = "rocketqa doctor > doctor.txt"


def build_parser() -> VerbParser:
    """Returns the verb's flags: it has none of its own."""
    description = str(__doc__)
    return VerbParser("rocketqa doctor", description=description, epilog=f"example: {EXAMPLE}")


def main(argv: list[str] | None = None) -> int:
    """Prints a row for each check and returns the exit status.

    Raises DataError with the first row that is wrong.
    """
    build_parser().parse_args(argv)
    wrong = []
    for finding in examine():
        print(finding.row(), flush=True)
        if finding.verdict == WRONG:
            wrong.append(finding)
    if wrong:
        raise DataError(f"{wrong[0].check}: {wrong[0].text}")
    return 0
