"""Foretell what a run of all stages takes: rows, steps, disk, memory and hours of every stage.

`rocket.sh --plan` calls it, after the commands, with the variables of the env file. The variable
ROWS gives the rows of files that are not there yet. The variable RATES gives what one device does
in a second (`rocketqa benchmark` measures it); the hours follow from it.
"""

from argparse import ArgumentParser

from rocketqa.cli.flags import VerbParser, assignment
from rocketqa.files.errors import DataError
from rocketqa.training.flight_variables import wrong_variables
from rocketqa.training.plan import PipelinePlan

EXAMPLE = "sh run_scripts/rocket.sh run_scripts/marco.env --plan"


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa plan", description=description, epilog=f"example: {EXAMPLE}")
    parser.add_argument(
        "variables",
        type=assignment,
        nargs="+",
        metavar="NAME=VALUE",
        help="every variable of the env file",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    variables = {}
    for word in build_parser().parse_args(argv).variables:
        name, _, value = word.partition("=")
        variables[name] = value
    for name, fault in wrong_variables(variables):
        raise DataError(f"{name}: {fault}")
    lines = list(PipelinePlan(variables).lines())  # all, so that a refusal stands alone
    print("\n".join(lines))
    return 0
