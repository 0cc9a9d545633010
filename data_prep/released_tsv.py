"""Turns the text TSVs that the released code trains on into our files, and back.

    six columns   query, title and text of the positive, title and text of the negative, 0    (dual)
    four columns  query, title, text, label                                                  (cross)

`import` writes a folder with the rows in their order and with ids for texts: examples.dual.tsv or
examples.cross.tsv, depending on the number of columns. With --data (a folder with collection.tsv
and queries.*.tsv, such as marco.py makes) the ids are those of its texts; if a text occurs twice,
that of the first one. A text that is not in it is an error. Without --data the ids are made from
the texts (64 bits of a digest, the same in every file), and collection.tsv and queries.tsv are
written too, each text once.

`export` writes the TSV again. Its bytes are those of the imported file if its lines end in LF and
a missing title is always written in the same way, as "-" or as nothing: the manifest records the
more frequent one. Rows whose negative is the positive are left out, because no training uses them.
Both deviations are counted and reported.

Texts are found on the disk. In memory are 16 bytes for each (40 while they are sorted), and about
100 for each text that gets a new id.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

from builds import add_check_flag, run_script, script_parser
from row_index import RowIndex, text_digest
from sources import one_line, read_foreign

from rocketqa.cli.flags import to_path
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.job import Job
from rocketqa.jobs.manifest import MANIFEST

DUAL, CROSS = "examples.dual.tsv", "examples.cross.tsv"
DUAL_WIDTH, CROSS_WIDTH = 6, 4
LABELS = {DUAL_WIDTH: ("0",), CROSS_WIDTH: ("0", "1")}
NO_TITLE = ("-", "")  # how a missing title is written
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
        flags={},
        inputs={"source": args.source, "data": data_paths},
    )

    def write(part: Path) -> None:
        if data and not is_import:
            lines = export_lines(args.source, data)
            job.facts["rows"] = write_lines(part / args.output.name, lines)
        else:
            job.facts |= import_tsv(args.source, part, data)
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


class KnownIds:
    """Gives a text the id that it has in --data."""

    def __init__(self, index: RowIndex):
        self.index = index

    def of(self, place: str, *columns: str) -> str:
        """Returns the id of a query (text) or a passage (title, text).

        Raises DataError if the text is not there.
        """
        row = self.index.find(*columns)
        if not row:
            raise DataError(f"{place}: expected a text of --data, got {columns[-1]!r:.60}")
        return row[0]


class NewIds:
    """Gives a text an id that is made from it, and writes each new text into a file."""

    def __init__(self, file: TextIO, letter: str):
        """`letter` is the first one of every id: q for queries, p for passages."""
        self.file = file
        self.letter = letter
        self.seen: set[int] = set()

    def of(self, place: str, *columns: str) -> str:
        """Returns the id of a query (text) or a passage (title, text)."""
        number = text_digest(*columns)
        unsigned = number & (1 << 64) - 1
        text_id = f"{self.letter}{unsigned:016x}"
        if number not in self.seen:
            self.seen.add(number)
            self.file.write("\t".join((text_id, *columns)) + "\n")
        return text_id


TextIds = KnownIds | NewIds


class RowConverter:
    """Turns rows of texts, all of one width, into rows of ids."""

    def __init__(self, width: int, query_ids: TextIds, passage_ids: TextIds):
        self.width = width
        self.query_ids = query_ids
        self.passage_ids = passage_ids
        self.missing_titles: Counter[str] = Counter()  # how often each of NO_TITLE occurs
        self.left_out = 0

    def lines(self, rows: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
        """Yields a line of examples for each row, without rows whose negative is the positive."""
        for place, columns in rows:
            self._check(place, columns)
            query_id = self.query_ids.of(place, one_line(columns[0], place))
            passage_ids = [
                self._passage_id(place, columns[at], columns[at + 1])
                for at in range(1, self.width - 1, 2)
            ]
            if len(set(passage_ids)) < len(passage_ids):
                self.left_out += 1
                continue
            fields = [query_id, *passage_ids]
            if self.width == CROSS_WIDTH:
                fields.append(columns[-1])  # the label
            yield "\t".join(fields)

    def _check(self, place: str, columns: list[str]) -> None:
        if len(columns) != self.width:
            raise DataError(f"{place}: expected {self.width} columns, got {len(columns)}")
        labels = LABELS[self.width]
        if columns[-1] not in labels:
            raise DataError(f"{place}: expected label {' or '.join(labels)}, got {columns[-1]!r}")

    def _passage_id(self, place: str, title: str, text: str) -> str:
        if title in NO_TITLE:
            self.missing_titles[title] += 1
            title = ""
        return self.passage_ids.of(place, title, one_line(text, place))


def import_tsv(source: Path, part: Path, data: DataFiles | None) -> dict[str, object]:
    """Writes the files of the folder and returns the facts for its manifest."""
    rows = read_foreign(source, (CROSS_WIDTH, DUAL_WIDTH))
    first = next(rows, None)
    if not first:
        raise DataError(f"{source}: expected rows of 6 or 4 columns, got an empty file")
    width = len(first[1])
    name = DUAL if width == DUAL_WIDTH else CROSS
    with ExitStack() as open_files:
        query_ids, passage_ids = text_ids(part, data, open_files)
        converter = RowConverter(width, query_ids, passage_ids)
        row_count = write_lines(part / name, converter.lines(chain([first], rows)))
    forms = converter.missing_titles.most_common() or [(USUAL_NO_TITLE[name], 0)]
    missing_title, count = forms[0]
    if converter.left_out or len(forms) > 1:
        print(
            f"{source}: {converter.left_out:,} rows left out whose negative is the positive; "
            f"{count:,} of {converter.missing_titles.total():,} missing titles written "
            f"{missing_title!r}",
            file=sys.stderr,
        )
    return {"rows": row_count, "missing_title": missing_title, "left_out": converter.left_out}


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
