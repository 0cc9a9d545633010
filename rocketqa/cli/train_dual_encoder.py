"""Train a dual encoder with cross-batch negatives (section 3.3.1), on one device or several."""

from argparse import ArgumentParser

from rocketqa.cli.flags import NumberType, VerbParser, add_text_flags, settings_of, to_file
from rocketqa.cli.training_flags import add_training_flags
from rocketqa.training.settings import CHOICES, RANGES, DualEncoderSettings

EXAMPLE = (
    "rocketqa train-dual-encoder --init ernie-2.0-base-en --collection collection.tsv "
    "--queries queries.train.tsv --examples examples.dual.tsv --batch-size 64 --epochs 10 "
    "--learning-rate 3e-5 --warmup 0.1 --decay linear --weight-decay 0 --seed 1 "
    "--output checkpoints/dual_encoder"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser(
        "rocketqa train-dual-encoder", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_training_flags(parser)
    add_text_flags(parser)
    parser.add_argument(
        "--similarity",
        choices=CHOICES["similarity"],
        help="how a query and a passage are compared: by the dot product of their vectors, or with "
        "vectors of length 1, so by their cosine (default: as the initial encoder says, a folder "
        "of sentence-transformers by its modules and named similarity; else dot)",
    )
    parser.add_argument(
        "--temperature",
        type=NumberType(RANGES["temperature"]),
        help="the number that a similarity is divided by in the loss (default: that of the initial "
        "encoder; 1 for dot, which is none, and 0.05 for cosine)",
    )
    parser.add_argument(
        "--negatives",
        choices=CHOICES["negatives"],
        default="cross-batch",
        help="whose passages are negatives of a query: those of all devices and chunks "
        "(cross-batch), or only those of its own chunk (in-batch); default: cross-batch",
    )
    parser.add_argument(
        "--mask-positives",
        type=to_file,
        nargs="+",
        metavar="QRELS",
        help="exclude as negatives of a query the passages that these files, or the examples, "
        "name as its positives, and their copies under other ids (default: exclude none)",
    )
    _add_teacher_flags(parser)
    return parser


def _add_teacher_flags(parser: ArgumentParser) -> None:
    """Adds the flags of distillation."""
    parser.add_argument(
        "--teacher",
        type=to_file,
        nargs="+",
        metavar="RUN",
        help="runs of `rocketqa score` with a score of every pair of the examples: learn the cross "
        "encoder's distribution over the passages of each row, too, as in RocketQAv2 "
        "(default: none)",
    )
    parser.add_argument(
        "--teacher-retriever",
        type=to_file,
        nargs="+",
        metavar="RUN",
        help="with --teacher: the runs of --init (`rocketqa retrieve`) that the passages of the "
        "examples come from. Their scores, divided by the temperature of the dual encoder, and the "
        "log-odds of the cross encoder then count half each, which can rank better than either. "
        "A positive that is not in them counts as the last passage of its query (default: none)",
    )
    parser.add_argument(
        "--teacher-temperature",
        type=NumberType(RANGES["teacher_temperature"]),
        metavar="T",
        help="with --teacher: the number that the log-odds of its scores are divided by; above 1 "
        "its distribution is flatter (default: 1)",
    )
    parser.add_argument(
        "--teacher-weight",
        type=NumberType(RANGES["teacher_weight"]),
        metavar="W",
        help="with --teacher: the loss is (1 - W) times that over the passages of other queries, "
        "and W times the divergence from the teacher's distribution (default: 0.5)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.training.tasks import train_dual_encoder

    return train_dual_encoder(settings_of(DualEncoderSettings, args), args.check)
