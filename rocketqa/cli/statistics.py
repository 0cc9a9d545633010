"""Count the queries and passages of a data folder and the words of their texts (paper, table 1).

Words stand between blanks. In a file whose texts mostly are of a script without blanks, such as
Chinese, each character of such a script is a word. With --checkpoint, also tell the lengths in
tokens at which 1, 5 and 10 % of the texts are cut.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path
from rocketqa.files.formats import Passage, Query, iterate_collection, read_queries, write_lines
from rocketqa.files.unspaced_text import count_words, is_unspaced
from rocketqa.jobs.digests import refuse_damaged
from rocketqa.text.tokenizer import Encoding, TextEncoder, load_text_encoder

PERCENTAGES = (1, 5, 10)  # of texts that a length cuts
BLOCK_TEXTS = 4096  # tokenised at a time
NO_LIMIT = 1 << 40  # tokens

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
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        metavar="DIR",
        help="count tokens by the tokenizer of this checkpoint, or of a folder with vocab.txt "
        "(default: count no tokens)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb, prints the counts as measure<TAB>value lines, and returns the exit status."""
    args = build_parser().parse_args(argv)
    refuse_damaged(args.checkpoint)
    encoder = load_text_encoder(args.checkpoint) if args.checkpoint else None
    tokenizer = {"tokenizer": encoder.digest} if encoder else {}
    job = job_of(
        "statistics",
        args,
        inputs=("collection", "queries"),
        not_identity=("checkpoint",),  # every folder with the same tokenizer gives the same bytes
        **tokenizer,
    )

    def make(part: Path) -> None:
        lines = list(count_lines(args.collection, args.queries))
        if encoder:
            lines += length_lines(args.collection, args.queries, encoder)
        write_lines(part / args.output.name, lines)

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


def length_lines(
    collection: Path, query_files: Sequence[Path], encoder: TextEncoder
) -> Iterator[str]:
    """Yields measure<TAB>value lines: the lengths for the dual encoder, special tokens included,
    that cut so many percent of all queries and of all passages.
    """

    def query_rows(queries: Sequence[Query]) -> list[Encoding]:
        return encoder.queries([query.text for query in queries], NO_LIMIT)

    def passage_rows(passages: Sequence[Passage]) -> list[Encoding]:
        return encoder.passages(passages, NO_LIMIT)

    queries = chain.from_iterable(read_queries(path).values() for path in query_files)
    query_lengths = _lengths_of(queries, query_rows)
    yield from _cutting_lines("query_length", query_lengths)
    passage_lengths = _lengths_of(iterate_collection(collection), passage_rows)
    yield from _cutting_lines("passage_length", passage_lengths)


def _lengths_of(texts: Iterable, rows_of: Callable[[list], list[Encoding]]) -> np.ndarray:
    """Returns the tokens of each text, int64 [texts]."""
    remaining = iter(texts)
    lengths: list[int] = []
    while block := list(islice(remaining, BLOCK_TEXTS)):
        lengths += [len(row.token_ids) for row in rows_of(block)]
    return np.array(lengths, np.int64)


def _cutting_lines(name: str, lengths: np.ndarray) -> Iterator[str]:
    """Yields a line for each of PERCENTAGES."""
    for percent in PERCENTAGES:
        yield f"{name}_cutting_{percent}_percent\t{length_cutting(lengths, percent)}"


def length_cutting(lengths: np.ndarray, percent: int) -> int:
    """Returns the smallest length that cuts at most so many percent of the texts."""
    may_be_cut = len(lengths) * percent // 100
    ordered = np.sort(lengths)
    return int(ordered[len(lengths) - 1 - may_be_cut])
