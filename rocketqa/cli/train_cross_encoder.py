"""Train a cross encoder on labelled query-passage pairs (section 3.4, step 2)."""

from argparse import ArgumentParser

from rocketqa.cli.flags import NumberType, VerbParser, settings_of
from rocketqa.cli.training_flags import add_training_flags
from rocketqa.training.settings import RANGES, CrossEncoderSettings

EXAMPLE = (
    "rocketqa train-cross-encoder --init ernie-2.0-large-en --collection collection.tsv "
    "--queries queries.train.tsv --examples examples.cross.tsv --batch-size 32 --epochs 2 "
    "--learning-rate 1e-5 --warmup 0.1 --decay linear --weight-decay 0.01 --seed 1 "
    "--output checkpoints/cross_encoder"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser(
        "rocketqa train-cross-encoder", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_training_flags(parser)
    parser.add_argument(
        "--max-length",
        type=NumberType(RANGES["max_length"]),
        default=160,
        help="tokens of a query and its passage together, special tokens included (default: 160)",
    )
    parser.add_argument(
        "--fgm",
        type=NumberType(RANGES["fgm"]),
        default=0.0,
        metavar="EPSILON",
        help="adversarial training: shift the word embeddings so far along the gradient of the "
        "loss (released code: 0.01; default: 0, no adversarial training)",
    )
    parser.add_argument(
        "--held-out",
        type=NumberType(RANGES["held_out"]),
        default=0,
        metavar="QUERIES",
        help="do not train on the pairs of so many queries (at most a fifth), but score them every "
        "25 steps, in a long training every twentieth of its steps, and end it when they are no "
        "longer separated better; its steps are then the most that it takes (default: 0, none)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training.tasks import train_cross_encoder

    return train_cross_encoder(settings_of(CrossEncoderSettings, args), args.check)
