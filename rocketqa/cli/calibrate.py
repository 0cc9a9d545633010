"""Report how far the cross encoder's probabilities can be trusted, and what follows from it.

The pairs are held_out.tsv of its checkpoint: labelled queries that it was not trained on. The
output is a folder: reliability.tsv and figures/reliability.png say how often pairs are labelled, by
P(relevant); decision.tsv says whether to denoise and to augment, and with which --max-negative and
--min-positive. report.md has all of it. A line says each of these things with its evidence.
"""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import NumberType, VerbParser, add_job_flags, job_of, to_file
from rocketqa.evaluation.agreement import (
    LEAST_RIGHT,
    MOST_WRONG,
    Decision,
    decision_table,
    lower_max_negative,
    lower_min_positive,
    whether_to_augment,
    whether_to_denoise,
)
from rocketqa.evaluation.calibration import HeldOutPairs, read_held_out, reliability
from rocketqa.evaluation.tables import Table, markdown_lines, tsv_lines
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import PROBABILITY

INPUTS = ("held_out_pairs",)
EXAMPLE = (
    "rocketqa calibrate --held-out-pairs checkpoints/own/cross_encoder/held_out.tsv "
    "--output calibration"
)
HEADINGS = {
    "decision": "Whether the decisions agree with held-out labels",
    "reliability": "Held-out pairs by P(relevant)",
}


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa calibrate", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--held-out-pairs",
        type=to_file,
        required=True,
        metavar="FILE",
        help="held_out.tsv of the cross encoder, as `rocketqa train-cross-encoder --held-out` "
        "writes it",
    )
    parser.add_argument(
        "--max-negative",
        type=NumberType(PROBABILITY),
        default=0.1,
        metavar="P",
        help="a passage shall be a negative if its P(relevant) is below this; where that would "
        "take too many labelled ones, a lower threshold is chosen (default: %(default)s)",
    )
    parser.add_argument(
        "--min-positive",
        type=NumberType(PROBABILITY),
        default=0.9,
        metavar="P",
        help="a passage shall be a positive of an unlabelled query if its P(relevant) is above "
        "this; where hardly a labelled one is, a lower threshold is chosen (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("calibrate", args, INPUTS).of_folder()

    def make(part: Path) -> None:
        pairs = read_held_out(args.held_out_pairs)
        max_negative = lower_max_negative(pairs, args.max_negative)
        min_positive = lower_min_positive(pairs, args.min_positive)
        decisions = [
            whether_to_denoise(pairs, max_negative),
            whether_to_augment(pairs, min_positive),
        ]
        _write(part, pairs, decisions)
        print(f"{args.output}: {pairs.line(args.max_negative)}")
        if max_negative < args.max_negative:
            print(
                f"{args.output}: --max-negative is lowered to {max_negative:.4g}, below which are "
                f"at most {100 * MOST_WRONG:g} % of the held-out labelled passages"
            )
        if min_positive < args.min_positive:
            print(
                f"{args.output}: --min-positive is lowered to {min_positive:g}, above which are at "
                f"least {100 * LEAST_RIGHT:g} % of the held-out labelled passages, and at most "
                f"{100 * MOST_WRONG:g} % of the others"
            )
        for decision in decisions:
            print(f"{args.output}: {decision.line()}")

    return job.run(make, args.check)


def _write(part: Path, pairs: HeldOutPairs, decisions: list[Decision]) -> None:
    """Writes the tables, the figure and report.md."""
    from rocketqa.evaluation import figures  # matplotlib takes long to load

    tables: dict[str, Table] = {
        "decision": decision_table(decisions),
        "reliability": reliability(pairs),
    }
    drawn = [figures.reliability_figure(tables["reliability"])]
    figures.save_figures(drawn, part / "figures", redraw=True)
    lines: list[str] = []
    for name, table in tables.items():
        write_lines(part / f"{name}.tsv", tsv_lines(table))
        lines += ["", f"## {HEADINGS[name]}", "", *markdown_lines(table)]
    write_lines(part / "report.md", [*lines, *figures.figure_lines(drawn)])
