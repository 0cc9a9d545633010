"""Turns the text TSVs that the released code trains on into our files, and back.

    six columns   query, title and text of the positive, title and text of the negative, 0    (dual)
    four columns  query, title, text, label                                                  (cross)

`import` writes a folder with the rows in their order and with ids for texts: examples.dual.tsv or
examples.cross.tsv, depending on the number of columns. With --data (a folder with collection.tsv
and queries.*.tsv, such as marco.py makes) the ids are those of its texts; if a text occurs twice,
that of the first one. A text that is not in it is an error. Without --data the ids are made from
the texts (64 bits of a digest, the same in every file), and collection.tsv and queries.tsv are
written too, each text once.

Every row is sound for `rocketqa validate` and the trainings. A row of another form, with an empty
text, with a text that --data lacks, or with a passage that an earlier row has on the other side of
the same query (positive and negative) is refused; with --drop-bad it is left out. Rows whose
negative is the positive are always left out, because no training uses them. What is left out is
printed with its line and counted.

`export` writes the TSV again. Its bytes are those of the imported file if its lines end in LF and
a missing title is always written in the same way, as "-" or as nothing: the manifest records the
more frequent one.

Texts are found on the disk. In memory are 16 bytes for each (40 while they are sorted), and about
100 for each text that gets a new id and for each passage of a query.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from builds import add_check_flag, run_script, script_parser
from row_index import RowIndex
from sources import read_foreign
from text_rows import DroppedRows, KnownIds, NewIds, RowConverter, TextIds

from rocketqa.cli.flags import to_path
from rocketqa.files.errors import DataError, Fault
from rocketqa.files.formats import write_lines
from rocketqa.files.published_forms import published_form
from rocketqa.files.released_rows import (
    CROSS_COLUMNS,
    DUAL_COLUMNS,
    NO_TITLE,
    left_out_line,
)
from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.digests import MANIFEST
from rocketqa.jobs.job import Job

DUAL, CROSS = "examples.dual.tsv", "examples.cross.tsv"
USUAL_NO_TITLE = {DUAL: "-", CROSS: ""}  # where the manifest does not record it


class DataFiles(NamedTuple):
    """The files that have the texts of the ids."""

    collection: Path
    queries: list[Path]


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "released_tsv.py",
        "Turn the text TSVs of the released code into our files (import) and back (export).",
        "python data_prep/released_tsv.py import train.tsv --output data/mine --data data/marco",
    )
    parser.add_argument("direction", choices=("import", "export"), help="what to do")
    parser.add_argument(
        "source", type=to_path, help="import: a TSV; export: a folder that import has made"
    )
    parser.add_argument(
        "--output", type=to_path, required=True, help="import: folder to make; export: TSV to write"
    )
    parser.add_argument(
        "--data",
        type=to_path,
        metavar="DIR",
        help="folder with collection.tsv and queries.*.tsv whose ids are used (default: import: "
        "ids are made from the texts; export: SOURCE)",
    )
    parser.add_argument(
        "--drop-bad",
        action="store_true",
        help="import: leave out rows that no training takes, and print each with its fault, then "
        "how many there are of each class (default: refuse the first one)",
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the output and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the folder or the TSV unless it is up to date, and returns the exit status."""
    is_import = args.direction == "import"
    data = import_data(args.data) if is_import else export_data(args.source, args.data)
    data_paths = [data.collection, *data.queries] if data else None
    job = Job(
        f"released_tsv {args.direction}",
        args.output,
        flags={"drop_bad": True} if args.drop_bad else {},
        inputs={"source": args.source, "data": data_paths},
    )
    if is_import:
        job.of_folder()

    def write(part: Path) -> None:
        if data and not is_import:
            lines = export_lines(args.source, data)
            job.facts["rows"] = write_lines(part / args.output.name, lines)
        else:
            job.facts |= import_tsv(args.source, part, data, args.drop_bad)
        print(f"{args.output}: {job.facts['rows']:,} rows", file=sys.stderr)

    return job.run(write, args.check)


def import_data(folder: Path | None) -> DataFiles | None:
    """Returns the files of --data whose ids an import uses; None if ids are made."""
    return data_files(folder) if folder else None


def export_data(source: Path, folder: Path | None) -> DataFiles:
    """Returns the files with the texts for an export: those of --data, else of the source."""
    if folder:
        return data_files(folder)
    if not (source / "collection.tsv").is_file():
        raise DataError(f"{source}: expected collection.tsv or --data FOLDER, got neither")
    return data_files(source)


def data_files(folder: Path) -> DataFiles:
    """Returns the collection and the files of queries in a folder. Raises DataError without."""
    collection = folder / "collection.tsv"
    queries = sorted(folder.glob("queries*.tsv"))
    if not collection.is_file() or not queries:
        raise DataError(
            f"{folder}: expected collection.tsv and queries.*.tsv, got a folder without"
        )
    return DataFiles(collection, queries)


def import_tsv(
    source: Path, part: Path, data: DataFiles | None, drop_bad: bool
) -> dict[str, object]:
    """Writes the files of the folder and returns the facts for its manifest."""
    dropped = DroppedRows(drop_bad)
    rows = read_foreign(source, None, dropped.add)
    first = first_row(rows, source, dropped)
    width = len(first[1])
    name = DUAL if width == DUAL_COLUMNS else CROSS
    with ExitStack() as open_files:
        query_ids, passage_ids = text_ids(part, data, open_files)
        converter = RowConverter(width, query_ids, passage_ids, dropped)
        row_count = write_lines(part / name, converter.lines(chain([first], rows)))
    if not row_count:
        raise DataError(f"{source}: expected a row to keep, got none")
    missing_title = usual_missing_title(source, name, converter)
    dropped.print_counts()
    facts = {
        "rows": row_count,
        "missing_title": missing_title,
        "left_out": len(converter.left_out),
    }
    return facts | ({"dropped_lines": dropped.lines} if drop_bad else {})


def first_row(
    rows: Iterable[tuple[str, list[str]]], source: Path, dropped: DroppedRows
) -> tuple[str, list[str]]:
    """Returns the first row of six or four columns, which decides the form of the file.

    Raises DataError where a row before it, or itself, is of another published form.
    """
    for place, columns in rows:
        other_form = published_form(columns)
        if other_form:
            expected = "label 0 or 1" if len(columns) == CROSS_COLUMNS else "4 or 6 columns"
            raise DataError(f"{place}: expected {expected}, got {other_form}")
        if len(columns) in (CROSS_COLUMNS, DUAL_COLUMNS):
            return place, columns
        dropped.add(Fault("columns", place, "4 or 6 columns", str(len(columns))))
    got = "no such row" if dropped.lines else "an empty file"
    raise DataError(f"{source}: expected rows of 6 or 4 columns, got {got}")


def usual_missing_title(source: Path, name: str, converter: RowConverter) -> str:
    """Returns how the source mostly writes a missing title, and prints what was not kept."""
    forms = converter.missing_titles.most_common() or [(USUAL_NO_TITLE[name], 0)]
    missing_title, count = forms[0]
    if converter.left_out:
        print(left_out_line(converter.left_out), file=sys.stderr)
    if len(forms) > 1:
        print(
            f"{source}: {count:,} of {converter.missing_titles.total():,} missing titles written "
            f"{missing_title!r}",
            file=sys.stderr,
        )
    return missing_title


def text_ids(part: Path, data: DataFiles | None, open_files: ExitStack) -> tuple[TextIds, TextIds]:
    """Returns what gives queries and passages their ids: the data, else new files in `part`."""
    if data:
        queries = RowIndex(data.queries, by_text=True, width=2)
        passages = RowIndex([data.collection], by_text=True, width=3)
        return KnownIds(queries), KnownIds(passages)
    query_file = (part / "queries.tsv").open("w", encoding="utf-8", newline="\n")
    open_files.enter_context(query_file)
    passage_file = (part / "collection.tsv").open("w", encoding="utf-8", newline="\n")
    open_files.enter_context(passage_file)
    return NewIds(query_file, "q"), NewIds(passage_file, "p")


def export_lines(folder: Path, data: DataFiles) -> Iterator[str]:
    """Yields the rows of the released form. Raises DataError for an id without a text."""
    is_dual = (folder / DUAL).is_file()
    name = DUAL if is_dual else CROSS
    missing_title = recorded_missing_title(folder, name)
    queries = RowIndex(data.queries, by_text=False, width=2)
    passages = RowIndex([data.collection], by_text=False, width=3)
    without_negative = 0
    for place, columns in read_foreign(folder / name, None if is_dual else (3,)):
        (query,) = texts_of(queries, columns[0], place)
        passage_ids = columns[1:] if is_dual else columns[1:2]
        texts = []
        for passage_id in passage_ids:
            title, text = texts_of(passages, passage_id, place)
            texts.append(f"{title or missing_title}\t{text}")
        positive, *negatives = texts
        if not is_dual:
            yield f"{query}\t{positive}\t{columns[2]}"
        for negative in negatives:  # a row for each negative
            yield f"{query}\t{positive}\t{negative}\t0"
        without_negative += is_dual and not negatives
    if without_negative:
        line = f"{folder / name}: {without_negative:,} rows left out that have no negative"
        print(line, file=sys.stderr)


def recorded_missing_title(folder: Path, name: str) -> str:
    """Returns how the imported TSV wrote a missing title: "-" or nothing."""
    manifest = folder / MANIFEST
    missing_title = read_object(manifest).get("missing_title", USUAL_NO_TITLE[name])
    if missing_title not in NO_TITLE:
        raise DataError(
            f"{manifest}: expected missing_title to be '-' or nothing, got {missing_title!r}"
        )
    return missing_title


def texts_of(index: RowIndex, key: str, place: str) -> list[str]:
    """Returns the columns after the id `key`. Raises DataError if no row has it."""
    row = index.find(key)
    if not row:
        raise DataError(f"{place}: expected an id with a text, got {key!r}")
    return row[1:]


if __name__ == "__main__":
    sys.exit(main())
