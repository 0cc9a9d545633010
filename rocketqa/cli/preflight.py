"""Name everything that would stop a flight, a line each, before anything of it runs.

The run scripts call it first, with the variables of the env file. The exit status is 2 if there is
anything to mend. With --plan, a disk or GPU that is missing on this machine is named, too, but it
does not change the exit status, because a plan is often made on another machine.
"""

import os
import sys
from pathlib import Path

from rocketqa.cli.flags import VerbParser, assignment, to_text
from rocketqa.training.flight_variables import VARIABLES
from rocketqa.training.preflight import NEEDS, Flight, refusals, refused_variables

EXAMPLE = "sh run_scripts/rocket.sh run_scripts/own.env"


def build_parser() -> VerbParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa preflight", description=description, epilog=f"example: {EXAMPLE}")
    parser.add_argument(
        "variables",
        type=assignment,
        nargs="*",
        metavar="NAME=VALUE",
        help="every variable of the env file; one that is left out may be exported",
    )
    parser.add_argument(
        "--script",
        type=to_text,
        required=True,
        metavar="NAME",
        help=f"the run script that asks: {', '.join(NEEDS)} need data, weights or packages; any "
        "other needs the variables and the folders only",
    )
    parser.add_argument(
        "--env", type=to_text, required=True, metavar="FILE", help="the env file, for the messages"
    )
    parser.add_argument(
        "--exported",
        type=to_text,
        nargs="*",
        default=[],
        metavar="NAME",
        help="variables whose value is exported by the caller (default: none)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="the flight is only planned: fetch no weights (default: no)",
    )
    parser.add_argument(
        "--data-comes",
        action="store_true",
        help="DATA_PREP will make the files of DATA_DIR: do not ask for them yet (default: no)",
    )
    parser.add_argument(
        "--variables-only",
        action="store_true",
        help="look at nothing but the variables (default: no)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    for word in args.variables:
        name, _, value = word.partition("=")
        variables[name] = value
    flight = Flight(
        args.script, args.env, variables, tuple(args.exported), args.plan, args.data_comes
    )
    if args.variables_only:
        found = list(refused_variables(flight).values())
    else:
        found = list(refusals(flight))
    faults = [refusal for refusal in found if not (args.plan and refusal.of_machine)]
    for refusal in found:
        place = "" if refusal in faults else "on this machine: "
        print(f"{place}{refusal.line}", file=sys.stderr)
    if not faults:
        return 0
    lines = "the line" if len(faults) == 1 else f"the {len(faults)} lines"
    print(
        f"{args.script}: nothing was started; mend {lines} above and call again (relative paths "
        f"are relative to {Path.cwd()})",
        file=sys.stderr,
    )
    return 2
