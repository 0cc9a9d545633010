"""The flags of `report`."""

from argparse import ArgumentParser

from rocketqa.cli.flags import NumberType, to_path, to_text
from rocketqa.evaluation.report_tables import ENDING, RERANKED
from rocketqa.files.ranges import TOKENS, WHOLE_FROM_1

JUDGES = ("labels", "cross-encoder")


def add_source_flags(parser: ArgumentParser) -> None:
    """Adds the measures, and the paper's numbers beside them."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--measures",
        nargs="+",
        type=to_path,
        metavar="FILE",
        help=f"files MODEL{ENDING} of `rocketqa evaluate`: write report.tsv",
    )
    source.add_argument(
        "--ablation",
        type=to_text,
        nargs="+",
        metavar="ROW SEED FILE",
        help="triples of a row's name, a seed and a measures file: write ablation.tsv",
    )
    parser.add_argument(
        "--expected",
        type=to_path,
        required=True,
        help="the paper's numbers: run_scripts/expected.tsv",
    )
    parser.add_argument(
        "--paper-flight",
        type=to_text,
        required=True,
        metavar="NAME",
        help="which of them to compare with: the first column of --expected, marco or nq",
    )
    parser.add_argument(
        "--tables",
        action="store_true",
        help="with --measures: add the paper's tables with our values and verdicts (default: no)",
    )
    parser.add_argument(
        "--ablated",
        type=to_path,
        metavar="FILE",
        help="ablation.tsv: its rows join the paper's tables (default: none)",
    )


def add_figure_flags(parser: ArgumentParser) -> None:
    """Adds what figures are drawn of."""
    parser.add_argument(
        "--figures",
        action="store_true",
        help="with --measures: draw the figures that have values, into figures/ (default: no)",
    )
    parser.add_argument(
        "--by-rank",
        type=to_path,
        metavar="FILE",
        help="by_rank.tsv of `rocketqa report-denoising`: figure 5 (default: none)",
    )
    parser.add_argument(
        "--logs",
        nargs="*",
        type=to_path,
        default=[],
        metavar="FILE",
        help="files MODEL/train_log.tsv: training curves (default: none)",
    )
    parser.add_argument(
        "--curve",
        type=to_text,
        nargs=4,
        action="append",
        default=[],
        metavar=("FIGURE", "CURVE", "X", "FILE"),
        help="a point of figure 4 (X: negatives of a query) or 6 (X: rows of augmented data) with "
        "the measures file that holds its height; may be repeated (default: none)",
    )


def add_flight_flags(parser: ArgumentParser) -> None:
    """Adds what the flight has done besides the paper's procedure."""
    parser.add_argument(
        "--last-model",
        type=to_text,
        default=RERANKED,
        metavar="NAME",
        help="the last dual encoder, whose passages the cross encoder re-ranks and BM25 is fused "
        "with (default: %(default)s)",
    )
    parser.add_argument(
        "--judged-by",
        choices=JUDGES,
        default=JUDGES[0],
        help="who says what is relevant: labels, or without any the cross encoder, whose own rows "
        "are then not compared (default: %(default)s)",
    )
    parser.add_argument(
        "--notes",
        nargs="*",
        type=to_path,
        default=[],
        metavar="FILE",
        help="files that each hold a line on what the flight did otherwise, such as a stage that "
        "it left out (default: none)",
    )
    parser.add_argument(
        "--fused-run",
        type=to_path,
        metavar="FILE",
        help="the run of `rocketqa fuse` of BM25 and the last model, which records their weights; "
        "with --bm25-index (default: none)",
    )
    parser.add_argument(
        "--reranked-run",
        type=to_path,
        metavar="FILE",
        help="the run of `rocketqa fuse` of the fused run and its scores by the cross encoder, "
        "which records their weights (default: none)",
    )
    parser.add_argument(
        "--bm25-index",
        type=to_path,
        metavar="DIR",
        help="the index of `rocketqa bm25-index`, for the command that searches with both "
        "(default: none)",
    )


def add_depth_flags(parser: ArgumentParser) -> None:
    """Adds how deep the measured runs are."""
    parser.add_argument(
        "--retrieve-depth",
        type=NumberType(WHOLE_FROM_1),
        metavar="DEPTH",
        help="passages that were retrieved for each query; the report leaves out measures that "
        "need more (default: every measure is shown)",
    )
    parser.add_argument(
        "--rerank-depth",
        type=NumberType(WHOLE_FROM_1),
        metavar="DEPTH",
        help="passages for each query that the cross encoder re-ranked (default: as above)",
    )


def add_search_flags(parser: ArgumentParser) -> None:
    """Adds what the command that searches needs."""
    parser.add_argument(
        "--checkpoints",
        type=to_path,
        metavar="DIR",
        help="with --measures: the folder of the checkpoints; with --vectors and --collection, the "
        "report has the command that searches with the best one (default: no command)",
    )
    parser.add_argument(
        "--vectors",
        type=to_path,
        metavar="DIR",
        help="the folder of MODEL.vectors/collection, as `rocketqa encode` made it (default: none)",
    )
    parser.add_argument(
        "--collection",
        type=to_path,
        metavar="FILE",
        help="the collection.tsv that was encoded (default: none)",
    )
    parser.add_argument(
        "--query-length",
        type=NumberType(TOKENS),
        metavar="TOKENS",
        help="tokens of a query in that command (default: as `rocketqa search` has it)",
    )
    parser.add_argument(
        "--max-length",
        type=NumberType(TOKENS),
        metavar="TOKENS",
        help="tokens of a query and its passage in that command (default: as `rocketqa search` has "
        "it)",
    )
