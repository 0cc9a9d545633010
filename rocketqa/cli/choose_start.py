"""Choose representation, similarity and passage length by labelled queries, before training.

The untrained dual encoder is measured with each of them: MRR@10 over the labelled passages and some
drawn ones. The output is a folder; choice.tsv has all measures and says which one was chosen. Of
equal ones it is what the initial weights say. A longer length must gain .01 to be chosen.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_inference_flags,
    add_job_flags,
    add_small_search_flags,
    add_text_flags,
    job_of,
    take_batch_tokens,
)
from rocketqa.cli.training_flags import init_source
from rocketqa.evaluation.tables import tsv_lines
from rocketqa.files.formats import write_lines
from rocketqa.training.settings import CHOICES, RANGES

INPUTS = ("init", "collection", "queries", "qrels")
EXAMPLE = (
    "rocketqa choose-start --init checkpoints/init --collection collection.tsv "
    "--queries sample/queries.tsv --qrels sample/qrels.tsv --output start_choice"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa choose-start", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--init",
        type=init_source,
        required=True,
        help="the initial weights: a folder, or a name that PaddleNLP knows",
    )
    add_small_search_flags(parser)
    _add_choice_flags(parser)
    add_text_flags(parser)
    add_inference_flags(parser)
    return parser


def _add_choice_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--representation",
        choices=CHOICES["representation"],
        help="the vector of a text, where it is not to be chosen (default: both are measured)",
    )
    parser.add_argument(
        "--similarity",
        choices=CHOICES["similarity"],
        help="how two vectors are compared, where it is not to be chosen (default: both are "
        "measured)",
    )
    parser.add_argument(
        "--longer",
        type=NumberType(RANGES["passage_length"]),
        nargs="+",
        default=[],
        metavar="TOKENS",
        help="further lengths of passages, where --passage-length cuts some; those beyond the "
        "positions of the weights are left out (default: none)",
    )
    parser.add_argument(
        "--layer-norm-eps",
        type=NumberType(RANGES["layer_norm_eps"]),
        help="epsilon of every layer norm (default: that of the initial weights)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    take_batch_tokens(args)
    job = job_of("choose-start", args, inputs=INPUTS).of_folder()
    return job.run(lambda part: _choose(args, part), args.check)


def _choose(args: Namespace, part: Path) -> None:
    """Measures, writes the table, and prints it with the choice."""
    from rocketqa.training.start_choice import StartSettings, measure_start

    given = {name: getattr(args, name) for name in StartSettings._fields}
    choice = measure_start(StartSettings(**given))
    write_lines(part / "choice.tsv", tsv_lines(choice.table()))
    for candidate in choice.candidates:
        own = " (as the initial weights say)" if candidate.own else ""
        print(f"{args.output}: {candidate}{own}: MRR@10 {candidate.mrr:.4f}")
    print(f"{args.output}: chosen: {choice.chosen}, by {choice.measured_by}")
