"""Foretell what a run of all stages takes: rows, steps, disk, memory and hours of every stage.

`rocket.sh --plan` and `adapt.sh --plan` call it, after the commands, with the variables of the env
file. The variable ROWS gives the rows of files that are not there yet. The variable RATES gives
what one device does in a second (`rocketqa benchmark` measures it); the hours follow from it.
"""

from argparse import ArgumentParser

from rocketqa.cli.flags import VerbParser, assignment, to_text
from rocketqa.files.errors import DataError
from rocketqa.training.adaptation_plan import AdaptationPlan
from rocketqa.training.flight_variables import wrong_variables
from rocketqa.training.plan import PipelinePlan

ADAPTS = "adapt.sh"
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
    parser.add_argument(
        "--script",
        type=to_text,
        default="rocket.sh",
        metavar="NAME",
        help=f"the run script that asks: {ADAPTS} adapts finished models, any other is planned as "
        "all stages (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    variables = {}
    args = build_parser().parse_args(argv)
    for word in args.variables:
        name, _, value = word.partition("=")
        variables[name] = value
    for name, fault in wrong_variables(variables):
        raise DataError(f"{name}: {fault}")
    kind = AdaptationPlan if args.script == ADAPTS else PipelinePlan
    lines = list(kind(variables).lines())  # all, so that a refusal stands alone
    print("\n".join(lines))
    return 0
