"""Choose the stemmer of BM25 by labelled queries.

BM25 is measured without a stemmer and with each one of PyStemmer: MRR@10 over the labelled passages
and some drawn ones. The output is a folder; choice.tsv has all measures and says which one was
chosen. A stemmer must gain .01 over none to be chosen.
"""

from argparse import Namespace
from pathlib import Path

from rocketqa.cli.bm25_flags import add_formula_flags
from rocketqa.cli.flags import VerbParser, add_job_flags, add_small_search_flags, job_of
from rocketqa.evaluation.small_search import read_small_search
from rocketqa.evaluation.tables import tsv_lines
from rocketqa.files.formats import write_lines

EXAMPLE = (
    "rocketqa choose-stemmer --collection collection.tsv --queries sample/queries.tsv "
    "--qrels sample/qrels.tsv --output stemmer_choice"
)


def build_parser() -> VerbParser:
    """Returns the verb's flags."""
    parser = VerbParser(
        "rocketqa choose-stemmer", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_job_flags(parser)
    add_small_search_flags(parser)
    add_formula_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("choose-stemmer", args, inputs=("collection", "queries", "qrels")).of_folder()
    return job.run(lambda part: _choose(args, part), args.check)


def _choose(args: Namespace, part: Path) -> None:
    """Measures, writes the table, and prints the choice."""
    from rocketqa.search.stemmer_choice import measure_stemmers

    search = read_small_search(args.collection, args.queries, args.qrels, args.passages, args.seed)
    choice = measure_stemmers(search, args.k1, args.b)
    write_lines(part / "choice.tsv", tsv_lines(choice.table()))
    none, chosen = choice.candidates[0], choice.chosen
    print(
        f"{args.output}: stemmer chosen: {chosen.stemmer}, MRR@10 {chosen.mrr:.4f} (without one "
        f"{none.mrr:.4f}), by {search.size()}"
    )
