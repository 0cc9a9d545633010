"""Retrieves passages with BM25, the baseline beside the models of a pipeline run.

The library is bm25s with Lucene's formula and the parameters k1 = 0.9 and b = 0.4. A passage's
title and text are indexed together. Passages that share no word with a query are not retrieved.

Text that is written without blanks, as Chinese, has bigrams in place of words, as in Lucene's
CJKAnalyzer (`rocketqa/files/unspaced_text.py`). So it is where a query holds such text; if none
does, the words of all texts are those of bm25s.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from builds import run_script, script_parser

from rocketqa.cli.flags import NumberType, add_job_flags, job_of, to_path
from rocketqa.files.formats import Query, read_collection, read_queries, write_lines
from rocketqa.files.packages import import_package
from rocketqa.files.ranges import WHOLE_FROM_1
from rocketqa.files.runs import ranked, run_lines
from rocketqa.files.unspaced_text import is_unspaced, terms

K1, B = 0.9, 0.4

Tokens = tuple[list[list[int]], dict[str, int]]  # the ids of each text; word -> id


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "bm25.py",
        "Retrieve passages with BM25 and write a TREC run.",
        "python data_prep/bm25.py --collection data/toy/collection.tsv \\\n"
        "      --queries data/toy/queries.dev.tsv --depth 50 --output output/bm25.dev.run",
    )
    add_job_flags(parser)
    parser.add_argument(
        "--collection", type=to_path, required=True, help="rows of passage_id, title, text"
    )
    parser.add_argument("--queries", type=to_path, required=True, help="rows of query_id, text")
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        help="largest number of passages for a query",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Writes the run and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Writes the run unless it is up to date, and returns the exit status."""
    terms_of_job = {}
    if needs_bigrams(read_queries(args.queries)):
        terms_of_job["terms"] = "bigrams"
    job = job_of("bm25", args, inputs=("collection", "queries"), **terms_of_job)

    def write(part: Path) -> None:
        import_package("bm25s", "package bm25s", "it to be installed")
        lines = bm25_lines(args.collection, args.queries, args.depth)
        write_lines(part / args.output.name, lines)

    return job.run(write, args.check)


def bm25_lines(collection_path: Path, queries_path: Path, depth: int) -> Iterator[str]:
    """Yields the lines of the run, at most `depth` for each query; none if no text has a word."""
    import bm25s

    queries = read_queries(queries_path)
    with_bigrams = needs_bigrams(queries)
    collection = read_collection(collection_path)
    passage_ids = list(collection)
    passage_texts = [f"{passage.title} {passage.text}" for passage in collection.values()]
    query_texts = [query.text for query in queries.values()]
    passage_tokens = tokenized(passage_texts, with_bigrams)
    _, vocabulary = passage_tokens
    if not vocabulary:
        return
    retriever = bm25s.BM25(method="lucene", k1=K1, b=B)
    retriever.index(passage_tokens, show_progress=False)
    retrieved = retriever.retrieve(
        tokenized(query_texts, with_bigrams),
        corpus=passage_ids,
        k=min(depth, len(passage_ids)),
        show_progress=False,
    )
    ids_by_query = retrieved.documents.tolist()
    scores_by_query = retrieved.scores.tolist()
    for query_id, ids, scores in zip(queries, ids_by_query, scores_by_query):
        matching = []
        for passage_id, score in zip(ids, scores):
            if score > 0:
                matching.append((passage_id, score))
        yield from run_lines(ranked(query_id, matching))


def needs_bigrams(queries: Mapping[str, Query]) -> bool:
    """Returns whether a query holds text without blanks."""
    return any(is_unspaced(query.text) for query in queries.values())


def tokenized(texts: Sequence[str], with_bigrams: bool) -> Tokens:
    """Returns the words of texts without English stop words, or their words and bigrams."""
    import bm25s

    if not with_bigrams:
        return bm25s.tokenize(texts, show_progress=False)
    spaced = [" ".join(terms(text)) for text in texts]
    return bm25s.tokenize(spaced, token_pattern=r"\S+", show_progress=False)


if __name__ == "__main__":
    sys.exit(main())
