"""Builds the files of MS MARCO from Microsoft's release or from the released RocketQA corpus.

    collection.tsv  queries.{train,dev}.tsv  qrels.{train,dev}.tsv  qrels.train.addition.tsv

Each file is an artefact of its own. The ids are those of the sources.

--source microsoft (the default) takes passages, queries and judgements from Microsoft's archive
collectionandqueries.tar.gz, whose files have 10,406,754 lines in all. --source released takes them
from the released RocketQA corpus, marco.tar.gz (para.txt, train.query.txt, dev.query.txt and qrels
of two columns). The dev queries are the 6,980 of Microsoft's "dev.small". The training queries are
those with a judgement: 502,939 of 808,731, as in table 1 of the paper.

The paper does not mention titles. The released code uses those of the MS MARCO documents that the
passages come from (para.title.txt); --titles no builds a collection without titles. The released
corpus also holds further positives, found by literal match, which the released code does not use
as negatives: qrels.train.addition.tsv.

Assumption: the released corpus could not be inspected. We assume that para.title.txt has lines of
passage_id and title in the order of para.txt, that passages may be missing in it, and that "-"
stands for a missing title.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from builds import (
    REPEATED,
    BuildSettings,
    add_build_flags,
    make_file,
    run_script,
    script_parser,
    settings_of,
)
from releases import MARCO, RELEASED_MARCO, folder_of
from sources import IdColumn, identifier, one_line, read_foreign

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Qrel, iterate_qrels, line_of

NO_TITLE = "-"  # in para.title.txt
NO_MORE_TITLES: tuple[str, list[str]] = ("", ["", ""])  # place, columns


class SourceFiles(NamedTuple):
    """The names of a source's files, or their paths."""

    texts: Path
    train_queries: Path
    dev_queries: Path
    train_qrels: Path
    dev_qrels: Path


MICROSOFT_FILES = SourceFiles(
    texts=Path("collection.tsv"),
    train_queries=Path("queries.train.tsv"),
    dev_queries=Path("queries.dev.small.tsv"),
    train_qrels=Path("qrels.train.tsv"),
    dev_qrels=Path("qrels.dev.small.tsv"),
)
RELEASED_FILES = SourceFiles(
    texts=Path("para.txt"),
    train_queries=Path("train.query.txt"),
    dev_queries=Path("dev.query.txt"),
    train_qrels=Path("qrels.train.tsv"),
    dev_qrels=Path("qrels.dev.tsv"),
)


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "marco.py",
        "Build the files of MS MARCO from Microsoft's release or the released RocketQA corpus.",
        "python data_prep/marco.py --output data/marco",
    )
    add_build_flags(parser, "folder that the files are built in")
    parser.add_argument(
        "--source",
        choices=("microsoft", "released"),
        default="microsoft",
        help="where passages, queries and judgements come from (default: %(default)s)",
    )
    parser.add_argument(
        "--titles",
        choices=("yes", "no"),
        default="yes",
        help="whether passages get the titles of the released RocketQA corpus "
        "(default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes each file that is not up to date and returns the exit status."""
    settings = settings_of(args)
    from_microsoft = args.source == "microsoft"
    files = source_files(settings, from_microsoft)
    titles = None
    if args.titles == "yes":
        titles = folder_of(RELEASED_MARCO, settings, "para.title.txt") / "para.title.txt"
    train_rows = 532_761 if from_microsoft else None
    dev_rows = 7_437 if from_microsoft else None
    statuses = [
        make_qrels(settings, "qrels.train.tsv", files.train_qrels, train_rows),
        make_qrels(settings, "qrels.dev.tsv", files.dev_qrels, dev_rows),
        make_train_queries(settings, files),
        make_dev_queries(settings, files),
    ]
    additions = further_positives(files, titles, from_microsoft)
    if additions and additions.is_file():
        statuses.append(make_qrels(settings, "qrels.train.addition.tsv", additions, None))
    statuses.append(make_collection(settings, files.texts, titles, args.titles, args.source))
    return max(statuses)


def source_files(settings: BuildSettings, from_microsoft: bool) -> SourceFiles:
    """Returns the paths of the files of Microsoft's release, or of the released corpus."""
    archive = MARCO if from_microsoft else RELEASED_MARCO
    names = MICROSOFT_FILES if from_microsoft else RELEASED_FILES
    folder = folder_of(archive, settings, names.texts.name)
    paths = [folder / name for name in names]
    return SourceFiles(*paths)


def further_positives(files: SourceFiles, titles: Path | None, from_microsoft: bool) -> Path | None:
    """Returns where the released corpus may have further positives; None if it is not used."""
    name = "qrels.train.addition.tsv"
    if titles:
        return titles.with_name(name)
    return None if from_microsoft else files.texts.with_name(name)


def make_qrels(settings: BuildSettings, name: str, qrels: Path, published_rows: int | None) -> int:
    """Makes a file of judgements in TREC's four columns, in the order of the source, each once."""
    notes: Counter[str] = Counter()
    return make_file(
        settings,
        "marco qrels",
        name,
        qrel_lines(qrels, notes),
        inputs={"qrels": qrels},
        notes=notes,
        published_rows=published_rows,
    )


def make_train_queries(settings: BuildSettings, files: SourceFiles) -> int:
    """Makes queries.train.tsv, the training queries that have a judgement."""
    notes: Counter[str] = Counter()
    lines = query_lines(files.train_queries, files.train_qrels, notes, judged_only=True)
    return make_file(
        settings,
        "marco queries",
        "queries.train.tsv",
        lines,
        inputs={"queries": files.train_queries, "qrels": files.train_qrels},
        notes=notes,
        published_rows=502_939,
    )


def make_dev_queries(settings: BuildSettings, files: SourceFiles) -> int:
    """Makes queries.dev.tsv, all dev queries."""
    notes: Counter[str] = Counter()
    lines = query_lines(files.dev_queries, files.dev_qrels, notes, judged_only=False)
    return make_file(
        settings,
        "marco queries",
        "queries.dev.tsv",
        lines,
        inputs={"queries": files.dev_queries, "qrels": files.dev_qrels},
        notes=notes,
        published_rows=6_980,
    )


def make_collection(
    settings: BuildSettings, texts: Path, titles: Path | None, with_titles: str, source: str
) -> int:
    """Makes collection.tsv; `with_titles` (yes or no) and `source` go into the manifest."""
    inputs = {"texts": texts}
    if titles:
        inputs["passage_titles"] = titles
    notes: Counter[str] = Counter()
    return make_file(
        settings,
        "marco collection",
        "collection.tsv",
        collection_lines(texts, titles, notes),
        inputs=inputs,
        notes=notes,
        published_rows=8_841_823,
        flags={"titles": with_titles, "source": source},
    )


def qrel_lines(qrels: Path, notes: Counter[str]) -> Iterator[str]:
    """Yields the judgements in file order, each once."""
    seen: set[Qrel] = set()
    for _, qrel in iterate_qrels(qrels):
        if qrel in seen:
            notes[REPEATED] += 1
        else:
            seen.add(qrel)
            yield line_of(qrel)


def query_lines(
    queries: Path, qrels: Path, notes: Counter[str], judged_only: bool
) -> Iterator[str]:
    """Yields the queries in file order. Raises DataError if a judged query has no text."""
    judged_ids = {qrel.query_id for _, qrel in iterate_qrels(qrels)}
    without_text = set(judged_ids)
    ids = IdColumn(queries)
    for place, (query_id, text) in read_foreign(queries, (2,)):
        ids.add(query_id)
        without_text.discard(query_id)
        if judged_only and query_id not in judged_ids:
            notes["queries without a judgement left out"] += 1
        else:
            yield f"{identifier(query_id, place, 'query_id')}\t{one_line(text, place)}"
    ids.refuse_repeated()
    if without_text:
        raise DataError(
            f"{queries}: expected the text of each query that {qrels} judges, got none for "
            f"{min(without_text)!r}"
        )


def collection_lines(texts: Path, titles: Path | None, notes: Counter[str]) -> Iterator[str]:
    """Yields rows of passage_id, title, text in the order of the texts.

    Both files are read once and side by side: a title is joined to the passage that has its id.
    Raises DataError if a title's id is not found, in order, among the passages.
    """
    ids = IdColumn(texts)
    title_rows = read_foreign(titles, (2,)) if titles else iter(())
    title_place, (title_id, next_title) = next(title_rows, NO_MORE_TITLES)
    for place, (passage_id, text) in read_foreign(texts, (2,)):
        title = ""
        if passage_id == title_id:
            title = "" if next_title == NO_TITLE else next_title
            title_place, (title_id, next_title) = next(title_rows, NO_MORE_TITLES)
        if titles and not title:
            notes["passages without a title"] += 1
        ids.add(passage_id)
        checked_id = identifier(passage_id, place, "passage_id")
        yield f"{checked_id}\t{title}\t{one_line(text, place)}"
    if title_place:
        raise DataError(
            f"{title_place}: expected a passage_id of {texts}, in its order, got {title_id!r}"
        )
    ids.refuse_repeated()


if __name__ == "__main__":
    sys.exit(main())
