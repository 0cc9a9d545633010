"""Remove passages from an encoded collection, without encoding it again.

The output is a folder with the list of their ids. The other verbs take it among the folders of
--passage-vectors, and then search without these passages. A passage changes when it is removed and
its new text is encoded: the list belongs to the folders that it was made with, and to no others.
"""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_file, to_path
from rocketqa.search.encodings import COLLECTION, refuse_other_side

EXAMPLE = (
    "rocketqa remove-passages --ids gone.txt --passage-vectors vectors/collection "
    "--output vectors/removed-1"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser(
        "rocketqa remove-passages", description=__doc__, epilog=f"example: {EXAMPLE}"
    )
    add_job_flags(parser)
    parser.add_argument(
        "--ids",
        type=to_file,
        required=True,
        metavar="FILE",
        help="the passages to remove, a passage_id a line; each must be in the vectors",
    )
    parser.add_argument(
        "--passage-vectors",
        type=to_path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="the folders that the passages are removed from: an encoded collection, the passages "
        "that were added to it, and the lists of those that were removed before",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    refuse_other_side(args.passage_vectors, COLLECTION)
    job = job_of("remove-passages", args, inputs=("ids", "passage_vectors")).of_folder()

    def make(part: Path) -> None:
        from rocketqa.files.formats import write_lines
        from rocketqa.search.removals import IDS, ids_to_remove
        from rocketqa.search.vectors import VectorStore

        store = VectorStore(args.passage_vectors)
        ids = ids_to_remove(args.ids, store.ids)
        job.facts["rows"] = write_lines(part / IDS, ids)
        print(f"{args.output}: removes {len(ids):,} of {len(store):,} passages")

    return job.run(make, args.check)
