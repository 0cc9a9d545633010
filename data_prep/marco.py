"""Build MS MARCO's files: `python data_prep/marco.py --output data/marco [--from DIR] [--titles no]`.

    collection.tsv  queries.{train,dev}.tsv  qrels.{train,dev}.tsv  qrels.train.addition.tsv

Each is an artefact of its own. Ids are those of the sources.

--source microsoft (the default) takes passages, queries and judgements from Microsoft's collectionandqueries.tar.gz,
whose files have 10,406,754 lines in all; --source released takes them from the released RocketQA corpus, marco.tar.gz
(para.txt, train.query.txt, dev.query.txt and two-column qrels). Dev are the 6,980 queries of Microsoft's "dev.small".
Training queries are those with a judgement, 502,939 of 808,731, as in the paper's table 1.

The paper does not speak of titles; the released code has them, the titles of the MS MARCO documents that passages come
from (para.title.txt). --titles no builds without. With the released corpus come its further positives, found by literal
match, that the released code keeps out of the negatives: qrels.train.addition.tsv.

Assumed of the released corpus, which could not be looked into: para.title.txt has lines `passage_id, title` in the
order of para.txt, may lack passages, and has "-" for no title.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from releases import MARCO, RELEASED_MARCO, add_source_flags, folder_of, settle_source_flags
from sources import REPEATED, Ids, identifier, make_file, one_line, read_foreign, run

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Qrel, iterate_qrels, line_of

NO_TITLE = "-"


class Parts(NamedTuple):
    """A source's files."""

    texts: Path
    train_queries: Path
    dev_queries: Path
    train_qrels: Path
    dev_qrels: Path


PARTS = {
    "microsoft": Parts(
        *map(
            Path,
            (
                "collection.tsv",
                "queries.train.tsv",
                "queries.dev.small.tsv",
                "qrels.train.tsv",
                "qrels.dev.small.tsv",
            ),
        )
    ),
    "released": Parts(
        *map(
            Path,
            ("para.txt", "train.query.txt", "dev.query.txt", "qrels.train.tsv", "qrels.dev.tsv"),
        )
    ),
}


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/marco.py", description=__doc__.splitlines()[0])
    add_source_flags(parser, "folder to build the files in")
    parser.add_argument(
        "--source",
        choices=tuple(PARTS),
        default="microsoft",
        help="of passages, queries, judgements",
    )
    parser.add_argument(
        "--titles", choices=("yes", "no"), default="yes", help="from the released RocketQA corpus"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the files and returns the exit status."""
    return run(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes each file that is not up to date."""
    settle_source_flags(args)
    archive = MARCO if args.source == "microsoft" else RELEASED_MARCO
    folder = folder_of(archive, args, PARTS[args.source].texts.name)
    parts = Parts(*(folder / name for name in PARTS[args.source]))
    titles = additions = None
    if args.titles == "yes":
        titles = folder_of(RELEASED_MARCO, args, "para.title.txt") / "para.title.txt"
    if args.titles == "yes" or args.source == "released":
        additions = (titles or parts.texts).with_name("qrels.train.addition.tsv")
    published = args.source == "microsoft"
    statuses = [
        make_qrels(args, "qrels.train.tsv", parts.train_qrels, 532_761 if published else None),
        make_qrels(args, "qrels.dev.tsv", parts.dev_qrels, 7_437 if published else None),
        make_file(
            "marco queries",
            args,
            "queries.train.tsv",
            {"queries": parts.train_queries, "qrels": parts.train_qrels},
            lambda notes: query_lines(
                parts.train_queries, parts.train_qrels, notes, judged_only=True
            ),
            502_939,
        ),
        make_file(
            "marco queries",
            args,
            "queries.dev.tsv",
            {"queries": parts.dev_queries, "qrels": parts.dev_qrels},
            lambda notes: query_lines(parts.dev_queries, parts.dev_qrels, notes, judged_only=False),
            6_980,
        ),
    ]
    if additions and additions.is_file():
        statuses.append(make_qrels(args, "qrels.train.addition.tsv", additions, None))
    inputs = {"texts": parts.texts} | ({"passage_titles": titles} if titles else {})
    statuses.append(
        make_file(
            "marco collection",
            args,
            "collection.tsv",
            inputs,
            lambda notes: collection_lines(parts.texts, titles, notes),
            8_841_823,
            titles=args.titles,
            source=args.source,
        )
    )
    return max(statuses)


def make_qrels(args: Namespace, name: str, qrels: Path, rows: int | None) -> int:
    """Makes a four-column file of judgements, in the order of the source, each once."""
    return make_file(
        "marco qrels", args, name, {"qrels": qrels}, lambda notes: qrel_lines(qrels, notes), rows
    )


def qrel_lines(qrels: Path, notes: Counter) -> Iterator[str]:
    """Yields the judgements in file order, without those that came before."""
    seen: set[Qrel] = set()
    for _, qrel in iterate_qrels(qrels):
        if qrel in seen:
            notes[REPEATED] += 1
        else:
            seen.add(qrel)
            yield line_of(qrel)


def query_lines(queries: Path, qrels: Path, notes: Counter, judged_only: bool) -> Iterator[str]:
    """Yields the queries in file order; every judged query must have a text."""
    judged, ids = {qrel.query_id for _, qrel in iterate_qrels(qrels)}, Ids(queries)
    missing = set(judged)
    for place, (query_id, text) in read_foreign(queries, (2,)):
        ids.add(query_id)
        missing.discard(query_id)
        if query_id in judged or not judged_only:
            yield f"{identifier(query_id, place, 'query_id')}\t{one_line(text, place)}"
        else:
            notes["queries without a judgement left out"] += 1
    ids.refuse_repeated()
    if missing:
        raise DataError(
            f"{queries}: expected the text of each query that {qrels} judges, got none of {min(missing)!r}"
        )


def collection_lines(texts: Path, titles: Path | None, notes: Counter) -> Iterator[str]:
    """Yields passage_id, title, text in the order of the texts; the titles are joined by id while both are read."""
    ids, title_rows = Ids(texts), read_foreign(titles, (2,)) if titles else iter(())
    place, upcoming = next(title_rows, ("", ("", "")))
    for text_place, (passage_id, text) in read_foreign(texts, (2,)):
        title = ""
        if passage_id == upcoming[0]:
            title = "" if upcoming[1] == NO_TITLE else upcoming[1]
            place, upcoming = next(title_rows, ("", ("", "")))
        if titles and not title:
            notes["passages without a title"] += 1
        ids.add(passage_id)
        yield f"{identifier(passage_id, text_place, 'passage_id')}\t{title}\t{one_line(text, text_place)}"
    if place:
        raise DataError(
            f"{place}: expected a passage_id of {texts}, in its order, got {upcoming[0]!r}"
        )
    ids.refuse_repeated()


if __name__ == "__main__":
    sys.exit(main())
