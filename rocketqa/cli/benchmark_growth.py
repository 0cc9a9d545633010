"""The sub-command `growth` of `rocketqa benchmark`: its flags and its table."""

from argparse import ArgumentParser, Namespace

from rocketqa.cli.flags import NumberType, to_path
from rocketqa.files.ranges import TOKENS, WHOLE_FROM_1

MIB = 2**20
HEADER = "step\tpassages\tprocesses\tseconds\tpassages or queries a second\tpeak MiB\tslope"


def add_sizes(parser: ArgumentParser, what: str) -> None:
    """Adds the numbers of what a sub-command measures."""
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=NumberType(WHOLE_FROM_1),
        default=[10_000, 100_000],
        metavar="N",
        help=f"numbers of {what} (default: 10000 100000)",
    )


def add_growth_flags(parser: ArgumentParser) -> None:
    """Adds the encoder, the collections, the processes and the figure."""
    parser.add_argument(
        "--checkpoint", type=to_path, required=True, help="dual encoder that encodes the texts"
    )
    add_sizes(parser, "passages of the collections")
    parser.add_argument(
        "--processes",
        nargs="+",
        type=NumberType(WHOLE_FROM_1),
        default=[1, 2],
        metavar="N",
        help="numbers of processes or threads that compute (default: 1 2)",
    )
    parser.add_argument(
        "--passage-length",
        type=NumberType(TOKENS),
        default=128,
        help="tokens of a passage (default: %(default)s)",
    )
    parser.add_argument(
        "--figure",
        type=to_path,
        metavar="FILE",
        help="draw the seconds by the number of passages as PNG and SVG, FILE.png and FILE.svg "
        "(default: none)",
    )


def print_growth(args: Namespace) -> None:
    """Prints the time, the rate, the peak memory and the slope of each step."""
    from rocketqa.benchmark.growth import EncoderUse, draw, measure_growth

    print(HEADER)
    growths = []
    encoder = EncoderUse(str(args.checkpoint), args.passage_length)
    for growth in measure_growth(encoder, args.sizes, args.processes):
        growths.append(growth)
        slope = "" if growth.slope is None else f"{growth.slope:.2f}"
        print(
            f"{growth.step}\t{growth.passages}\t{growth.processes}\t{growth.cost.seconds:.1f}\t"
            f"{growth.rate:.0f}\t{growth.cost.peak_memory / MIB:.0f}\t{slope}",
            flush=True,
        )
    if args.figure is not None:
        draw(growths, args.figure)
