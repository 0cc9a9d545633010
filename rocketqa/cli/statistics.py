"""Count the queries and passages of a data folder and the words of their texts (paper, table 1).

Words stand between blanks. In a file whose texts mostly are of a script without blanks, such as
Chinese, each character of such a script is a word.
"""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path
from rocketqa.files.formats import Passage, Query, iterate_collection, read_queries, write_lines
from rocketqa.files.unspaced_text import count_words, is_unspaced

EXAMPLE = (
    "rocketqa statistics --collection data/collection.tsv "
    "--queries data/queries.train.tsv data/queries.dev.tsv --output output/data.measures.tsv"
)


class TextCounts(NamedTuple):
    """How many records there are, and how many words all their texts have together."""

    records: int
    words: int


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa statistics", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--collection", type=to_path, required=True, help="collection.tsv; titles are not counted"
    )
    parser.add_argument(
        "--queries", type=to_path, nargs="+", required=True, help="files queries.SPLIT.tsv"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb, prints the counts as measure<TAB>value lines, and returns the exit status."""
    args = build_parser().parse_args(argv)
    job = job_of("statistics", args, inputs=("collection", "queries"))

    def make(part: Path) -> None:
        write_lines(part / args.output.name, count_lines(args.collection, args.queries))

    status = job.run(make, args.check)
    if not args.check:
        print(args.output.read_text(encoding="utf-8"), end="")
    return status


def count_lines(collection: Path, query_files: Sequence[Path]) -> Iterator[str]:
    """Yields measure<TAB>value lines: records of each file, then the mean words of each text."""
    counts_of: dict[str, TextCounts] = {}
    for path in query_files:
        name = path.name.removesuffix(".tsv")
        counts_of[name] = count_texts(read_queries(path).values())
    for name, counts in counts_of.items():
        yield f"{name}\t{counts.records}"
    passages = count_texts(iterate_collection(collection))
    yield f"collection\t{passages.records}"
    queries = sum(counts.records for counts in counts_of.values())
    query_words = sum(counts.words for counts in counts_of.values())
    yield f"query_words\t{query_words / queries!r}"
    yield f"passage_words\t{passages.words / passages.records!r}"


def count_texts(records: Iterable[Query | Passage]) -> TextCounts:
    """Returns the number of records and of the words in their texts.

    Words stand between spaces, unless most texts are of scripts without them.
    """
    number = unspaced = 0
    words_between_spaces = words_and_characters = 0
    for record in records:
        number += 1
        words = len(record.text.split())
        words_between_spaces += words
        if is_unspaced(record.text):
            unspaced += 1
            words = count_words(record.text)
        words_and_characters += words
    mostly_unspaced = 2 * unspaced > number
    return TextCounts(number, words_and_characters if mostly_unspaced else words_between_spaces)
