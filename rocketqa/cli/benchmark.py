"""Measure time and memory on this machine: accumulation, speed, search, building of data, growth.

Each sub-command measures one thing and prints a table, tab-separated, on stdout.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple

from rocketqa.benchmark.accumulation import StepSettings, comparison_lines, find_largest_batch
from rocketqa.benchmark.data_build import measure_builds
from rocketqa.benchmark.speed import Sources, measure_speed
from rocketqa.benchmark.speed_table import HEADER, speed_line
from rocketqa.benchmark.workload import WORKS
from rocketqa.cli.benchmark_growth import add_growth_flags, add_sizes, print_growth
from rocketqa.cli.flags import NumberType, VerbParser, to_path, to_text
from rocketqa.files.ranges import ABOVE_0, HIDDEN_SIZE, TOKENS, WHOLE_FROM_1
from rocketqa.jobs.processor import processor_line

MIB = 2**20
GIB = 2**30
EXAMPLE = "rocketqa benchmark chunks --batch-size 64 --chunk-size 8"


class Command(NamedTuple):
    """A sub-command: what its help says, its flags, and what it does."""

    description: str
    example: str
    add_flags: Callable[[ArgumentParser], None]
    print_table: Callable[[Namespace], None]


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags, with a sub-command for each thing it measures."""
    parser = VerbParser("rocketqa benchmark", description=__doc__, epilog=f"example: {EXAMPLE}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command_parser = commands.add_parser(
            name,
            help=command.description,
            description=command.description,
            epilog=f"example: {command.example}",
        )
        command.add_flags(command_parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the sub-command, which prints its table, and returns the exit status."""
    args = build_parser().parse_args(argv)
    COMMANDS[args.command].print_table(args)
    return 0


def add_chunks_flags(parser: ArgumentParser) -> None:
    """Adds the batch, the chunk and the memory; and the model."""
    parser.add_argument(
        "--batch-size",
        type=NumberType(WHOLE_FROM_1),
        default=32,
        help="queries a step, each with two passages (default: %(default)s)",
    )
    parser.add_argument(
        "--chunk-size",
        type=NumberType(WHOLE_FROM_1),
        default=8,
        help="queries a chunk (default: %(default)s)",
    )
    parser.add_argument(
        "--memory",
        type=NumberType(ABOVE_0),
        default=2.0,
        metavar="GIB",
        help="peak memory of the process, in GiB, that the largest batch may take "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--largest",
        type=NumberType(WHOLE_FROM_1),
        default=512,
        metavar="QUERIES",
        help="the largest batch to try (default: %(default)s)",
    )
    add_model_flags(parser)


def add_model_flags(parser: ArgumentParser) -> None:
    """Adds the size of the dual encoder that `chunks` trains, and of its rows."""
    parser.add_argument(
        "--layers",
        type=NumberType(WHOLE_FROM_1),
        default=4,
        help="layers of each ERNIE (default: %(default)s)",
    )
    parser.add_argument(
        "--hidden-size",
        type=NumberType(HIDDEN_SIZE),
        default=312,
        help="size of its vectors, a multiple of its 12 heads (default: %(default)s)",
    )
    parser.add_argument(
        "--query-length",
        type=NumberType(TOKENS),
        default=32,
        help="tokens of the longest queries (default: %(default)s)",
    )
    parser.add_argument(
        "--passage-length",
        type=NumberType(TOKENS),
        default=128,
        help="tokens of the longest passages (default: %(default)s)",
    )
    parser.add_argument(
        "--recompute",
        action="store_true",
        help="compute the activations again for the gradient instead of keeping them, in all "
        "measurements (default: keep them)",
    )


def print_chunks(args: Namespace) -> None:
    """Prints the cost of the batch at once and in chunks, and the largest batches."""
    direct = StepSettings(
        queries=args.batch_size,
        chunks=1,
        layers=args.layers,
        hidden_size=args.hidden_size,
        query_length=args.query_length,
        passage_length=args.passage_length,
        recompute=args.recompute,
    )
    chunks = -(-args.batch_size // args.chunk_size)
    for line in comparison_lines(direct, direct._replace(chunks=chunks)):
        print(line, flush=True)
    for way in ("direct", "chunks"):
        fitting = find_largest_batch(
            direct, args.chunk_size, way == "chunks", args.memory * GIB, args.largest
        )
        bound = " (the largest tried)" if fitting.all_fit else ""
        print(
            f"largest batch within {args.memory:g} GiB, {way}: {fitting.queries}{bound}", flush=True
        )


def add_speed_flags(parser: ArgumentParser) -> None:
    """Adds the weights, the texts and the contenders."""
    parser.add_argument(
        "--weights",
        type=to_text,
        required=True,
        help="a folder with an encoder in BERT's or ERNIE's layout",
    )
    parser.add_argument(
        "--collection", type=to_path, required=True, help="collection.tsv to draw passages from"
    )
    parser.add_argument(
        "--queries", type=to_path, required=True, help="queries.SPLIT.tsv to draw queries from"
    )
    parser.add_argument(
        "--qrels",
        type=to_path,
        help="qrels.SPLIT.tsv: print the MRR@10 of each contender's vectors, too, for 1,000 "
        "labelled queries among their passages (default: do not)",
    )
    parser.add_argument(
        "--rows",
        type=NumberType(WHOLE_FROM_1),
        default=256,
        help="passages, pairs or queries to draw for a round (default: %(default)s)",
    )
    add_rounds(parser)
    parser.add_argument(
        "--works",
        nargs="+",
        choices=WORKS,
        default=list(WORKS),
        help=f"what to measure (default: {' '.join(WORKS)})",
    )
    parser.add_argument(
        "--peers-python",
        type=to_text,
        default=sys.executable,
        metavar="PYTHON",
        help="an interpreter that has sentence-transformers, ONNX Runtime and OpenVINO, the extra "
        "`bench` (default: the one that runs this command)",
    )


def add_rounds(parser: ArgumentParser) -> None:
    """Adds the number of rounds."""
    parser.add_argument(
        "--rounds",
        type=NumberType(WHOLE_FROM_1),
        default=5,
        help="measured rounds, whose medians are printed (default: %(default)s)",
    )


def print_speed(args: Namespace) -> None:
    """Prints the processor, and the table of the contenders."""
    files = (str(args.collection), str(args.queries))
    sources = Sources(args.weights, *files, args.rows, args.qrels and str(args.qrels))
    print(processor_line())
    print(HEADER, flush=True)
    for speed in measure_speed(sources, args.works, args.rounds, args.peers_python):
        print(speed_line(speed), flush=True)


def add_search_flags(parser: ArgumentParser) -> None:
    """Adds the collections and the rounds."""
    add_sizes(parser, "vectors to search")
    add_rounds(parser)


def print_search(args: Namespace) -> None:
    """Prints queries a second of exact search and of faiss, and how many times as fast ours is."""
    from rocketqa.benchmark.search_rate import measure_search

    print(
        "vectors\tdepth\texact search, queries a second\tfaiss IndexFlatIP, queries a second\t"
        "speed-up of ours"
    )
    for rate in measure_search(args.sizes, args.rounds):
        print(
            f"{rate.vectors}\t{rate.depth}\t{rate.exact:.1f}\t{rate.faiss:.1f}\t{rate.speed_up:.2f}",
            flush=True,
        )


def add_data_flags(parser: ArgumentParser) -> None:
    """Adds the script and the collections."""
    parser.add_argument(
        "--data-prep",
        type=to_path,
        required=True,
        metavar="SCRIPT",
        help="the script that builds: data_prep/marco.py",
    )
    add_sizes(parser, "passages of the collections")


def print_data(args: Namespace) -> None:
    """Prints the time, the rate and the peak memory of building each collection."""
    print("passages\tseconds\tpassages a second\tprocessor seconds\tpeak memory, MiB")
    for size, cost in measure_builds(args.data_prep, args.sizes):
        print(
            f"{size}\t{cost.seconds:.1f}\t{size / cost.seconds:.0f}\t{cost.processor_seconds:.1f}\t"
            f"{cost.peak_memory / MIB:.0f}",
            flush=True,
        )


COMMANDS = {
    "chunks": Command(
        "Gradient accumulation: time, memory and calls of Paddle's operators of a training step on "
        "a batch at once and in chunks, beside the memory that `rocketqa plan` foretells, and the "
        "largest batch of each way that fits into the memory. Weights and texts are random.",
        EXAMPLE,
        add_chunks_flags,
        print_chunks,
    ),
    "speed": Command(
        "Speed and memory of encoding, scoring and training with this package, with a plain padded "
        "loop on PaddleNLP, and with sentence-transformers, ONNX Runtime and OpenVINO: the same "
        "weights and texts, in alternating rounds, beside the rate of matrix products and the "
        "closeness of the vectors to ours in float32.",
        "rocketqa benchmark speed --weights checkpoints/ernie-2.0-base-en "
        "--collection data/marco/collection.tsv --queries data/marco/queries.dev.tsv",
        add_speed_flags,
        print_speed,
    ),
    "search": Command(
        "Speed of exact search beside faiss IndexFlatIP: 200 queries, random vectors of size 768 "
        "in memory, in alternating rounds.",
        "rocketqa benchmark search --sizes 10000 1000000",
        add_search_flags,
        print_search,
    ),
    "data": Command(
        "Time and memory of building a collection's files. The sources are made up, with the "
        "layout of Microsoft's MS MARCO and the released titles.",
        "rocketqa benchmark data --data-prep data_prep/marco.py --sizes 1000000 9000000",
        add_data_flags,
        print_data,
    ),
    "growth": Command(
        "Time and memory of encoding and of retrieval for 1,000 queries against the number of "
        "passages and of processes, with the slope from size to size: 1 is linear. The texts are "
        "made up.",
        "rocketqa benchmark growth --checkpoint checkpoints/toy/dual_encoder_0 "
        "--sizes 10000 100000 1000000 --figure growth",
        add_growth_flags,
        print_growth,
    ),
}
