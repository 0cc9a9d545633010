"""Report what denoising removes from a run: by rank (figure 5), by score, by threshold, samples.

The output is a folder: report.md holds all tables; by_rank.tsv, by_score.tsv, max_negative.tsv,
min_positive.tsv and removals.tsv hold one each. With --held-out-pairs the two tables of thresholds
have a further column: how many of these pairs each threshold takes wrongly.
Without --qrels the queries are those that get pseudo-labels: pseudo_labels.md and pseudo_labels.tsv
show some of them, to be read.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_job_flags,
    job_of,
    to_file,
    to_path,
)
from rocketqa.evaluation.calibration import HeldOutPairs, read_held_out
from rocketqa.evaluation.denoising_counts import DenoisingCounts
from rocketqa.evaluation.denoising_report import count_run, denoising_tables, report_lines
from rocketqa.evaluation.judgements import refuse_other_queries
from rocketqa.evaluation.pseudo_label_samples import (
    PseudoLabelSamples,
    pseudo_label_lines,
    pseudo_labels_with_texts,
)
from rocketqa.evaluation.tables import Table, tsv_lines
from rocketqa.files.collection import CollectionFile
from rocketqa.files.formats import read_positives, read_queries, write_lines
from rocketqa.files.ranges import ANY_WHOLE, PROBABILITY, WHOLE_FROM_1
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, open_scores

INPUTS = ("run", "scores", "collection", "queries", "qrels", "truth")
EXAMPLE = (
    "rocketqa report-denoising --run train.run --scores train.scored.run "
    "--collection collection.tsv --queries queries.train.tsv --qrels qrels.train.tsv "
    "--output denoising"
)


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser(
        "rocketqa report-denoising", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_job_flags(parser)
    _add_input_flags(parser)
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        default=50,
        metavar="RANKS",
        help="consider this many top ranks of the run (default: %(default)s)",
    )
    parser.add_argument(
        "--max-negative",
        type=NumberType(PROBABILITY),
        default=0.1,
        metavar="P",
        help="a passage is a negative if its P(relevant) is below this, else it is removed "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--min-positive",
        type=NumberType(PROBABILITY),
        default=0.9,
        metavar="P",
        help="a further threshold in the tables: the best passage is a pseudo-positive if its "
        "P(relevant) is above this (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="seed of the choice of the removals, and pseudo-labels, that are shown (default: "
        "%(default)s)",
    )
    return parser


def _add_input_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=to_file, required=True, help="run of the retriever; its ranks are used"
    )
    parser.add_argument(
        "--scores", type=to_file, required=True, help="the same run, scored by the cross encoder"
    )
    parser.add_argument("--collection", type=to_path, required=True, help="the passages' texts")
    parser.add_argument("--queries", type=to_path, required=True, help="the queries' texts")
    parser.add_argument("--qrels", type=to_file, help="labels of the queries (default: none)")
    parser.add_argument(
        "--truth",
        type=to_file,
        help="labels that name every relevant passage of their queries (default: none)",
    )
    parser.add_argument(
        "--held-out-pairs",
        type=to_file,
        metavar="FILE",
        help="held_out.tsv of the cross encoder: pairs that it was not trained on, as `rocketqa "
        "train-cross-encoder --held-out` writes them (default: none)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    # Without it a report is what it was before there was the flag.
    further = ("held_out_pairs",)
    if args.held_out_pairs is None:
        job = job_of("report-denoising", args, INPUTS, not_identity=further).of_folder()
    else:
        job = job_of("report-denoising", args, (*INPUTS, *further)).of_folder()

    def make(part: Path) -> None:
        held_out = read_held_out(args.held_out_pairs) if args.held_out_pairs else None
        counts, tables, drawn = _count(args, held_out)
        for name, table in tables.items():
            write_lines(part / f"{name}.tsv", tsv_lines(table))
        write_lines(part / "report.md", report_lines(tables))
        if drawn:
            write_lines(part / "pseudo_labels.tsv", tsv_lines(drawn))
            write_lines(part / "pseudo_labels.md", pseudo_label_lines(drawn))
        removed = counts.removed_passages()
        unlabelled = counts.unlabelled_passages()
        print(f"{args.output}: {removed} of {unlabelled} unlabelled passages removed")

    return job.run(make, args.check)


def _positives(labels: Path | None, run: RunFile) -> dict[str, list[str]]:
    """Returns query_id -> ids of its relevant passages. Raises DataError where the run has none of
    the queries.
    """
    if labels is None:
        return {}
    positives = read_positives(labels)
    refuse_other_queries(run.path, run, labels, positives)
    return positives


def _count(
    args: Namespace, held_out: HeldOutPairs | None
) -> tuple[DenoisingCounts, dict[str, Table], Table | None]:
    """Reads the inputs and returns the counts, the tables of the report, and that of drawn
    pseudo-labels where the queries have no labels.
    """
    queries = read_queries(args.queries)
    passages = CollectionFile(args.collection)
    run = RunFile(args.run, Check(query_ids=queries))
    scores = open_scores(args.scores)
    positives = _positives(args.qrels, run)
    truth = _positives(args.truth, run)
    counts = DenoisingCounts(args.max_negative, args.min_positive, args.seed)
    samples = None
    if args.qrels is None:
        samples = PseudoLabelSamples(args.min_positive, args.max_negative, args.seed)
    count_run(run, scores, passages, positives, truth, args.depth, counts, samples)
    tables = denoising_tables(counts, queries, passages, held_out)
    if samples is None:
        return counts, tables, None
    return counts, tables, pseudo_labels_with_texts(samples, queries, passages)
