"""Turn the released text TSVs into our files and back: `python data_prep/released_tsv.py import TSV --output FOLDER`.

    six columns   query, title, text of the positive, title, text of the negative, 0      dual encoder
    four columns  query, title, text, label                                               cross encoder

`import` writes a folder with the rows in their order, ids for texts: examples.dual.tsv or examples.cross.tsv, by the
columns. With --data (a folder with collection.tsv and queries.*.tsv, as marco.py makes) ids are those of its texts, the
first where a text is there twice, and a text that it lacks is an error. Without, ids are made of the texts, the same
in every file (64 bits of a digest), and collection.tsv and queries.tsv are written, too, each text once.

`export` writes the TSV again: `python data_prep/released_tsv.py export FOLDER --output TSV [--data DIR]`. The bytes are
the same where lines end in LF and one sign stands for a missing title, "-" or nothing: the manifest keeps the more
frequent. Rows whose negative is the positive are left out, as no training takes them. Both are counted and said.

Texts are looked up on disk; in memory are 16 bytes for each (40 while they are sorted), and 100 for each new one.
"""

import mmap
import sys
from argparse import ArgumentParser, Namespace
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np
from sources import one_line, read_foreign, run

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.rows import read_rows
from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.job import MANIFEST, Job
from rocketqa.jobs.paths import InputPath, OutputPath

DUAL, CROSS = "examples.dual.tsv", "examples.cross.tsv"
NO_TITLE = ("-", "")


def digest(*columns: str) -> int:
    """Returns 64 bits that stand for a text, the same always."""
    return int.from_bytes(
        blake2b("\t".join(columns).encode(), digest_size=8).digest(), "big", signed=True
    )


class Lookup:
    """The rows of our TSV files, found by their id or by their text; rows stay on disk."""

    def __init__(self, paths: list[Path], by_text: bool, width: int):
        keys, places = array("q"), array("q")
        self.maps, self.by_text = [], by_text
        for number, path in enumerate(paths):
            with path.open("rb") as file:
                self.maps.append(
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                    if path.stat().st_size
                    else b""
                )
                start = 0
                for line, row in zip(file, read_rows(path, (width,))):
                    keys.append(self._key(row.columns))
                    places.append(number << 48 | start)
                    start += len(line)
        order = np.argsort(np.array(keys, np.int64), kind="stable")
        self.keys, self.places = np.array(keys, np.int64)[order], np.array(places, np.int64)[order]

    def _key(self, columns: list[str]) -> int:
        return digest(*(columns[1:] if self.by_text else columns[:1]))

    def find(self, *columns: str) -> list[str] | None:
        """Returns the first row with this id (or this title and text), None where there is none."""
        wanted = digest(*columns)
        at = int(np.searchsorted(self.keys, wanted))
        if at == len(self.keys) or self.keys[at] != wanted:
            return None
        place = int(self.places[at])
        rows, start = self.maps[place >> 48], place & (1 << 48) - 1
        end = rows.find(b"\n", start)
        row = rows[start : end if end >= 0 else len(rows)].decode().split("\t")
        return row if self._key(row) == wanted else None


class Ids:
    """Gives a text its id: of the data where there are some, else made of the text, which is then written down."""

    def __init__(self, files: ExitStack, part: Path, name: str, known: Lookup | None, letter: str):
        self.known, self.letter, self.seen = known, letter, set()
        self.file = (
            None
            if known
            else files.enter_context((part / name).open("w", encoding="utf-8", newline="\n"))
        )

    def of(self, place: str, *columns: str) -> str:
        """Returns the id of a query (text) or passage (title, text)."""
        if self.known:
            row = self.known.find(*columns)
            if not row:
                raise DataError(f"{place}: expected a text of --data, got {columns[-1]!r:.60}")
            return row[0]
        number = digest(*columns)
        value = f"{self.letter}{number & (1 << 64) - 1:016x}"
        if number not in self.seen:
            self.seen.add(number)
            self.file.write("\t".join((value, *columns)) + "\n")
        return value


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/released_tsv.py", description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=("import", "export"))
    parser.add_argument("source", type=Path, help="a TSV to import, or an imported folder")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder to make, or TSV to write"
    )
    parser.add_argument(
        "--data", type=Path, help="folder with collection.tsv and queries.*.tsv whose ids are kept"
    )
    parser.add_argument(
        "--check", action="store_true", help="make nothing: exit 0 where all is up to date, else 3"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the output and returns the exit status."""
    return run(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the folder or the TSV where it is not up to date."""
    collection, queries = data_files(args)
    job = Job(
        f"released_tsv {args.way}",
        Namespace(
            output=OutputPath(args.output),
            source=InputPath(args.source),
            data=[InputPath(path) for path in (collection, *queries)] if collection else None,
        ),
    )
    status = job.status_if_done(args.check)
    if status is None:
        with job as part:
            if args.way == "import":
                job.facts |= import_tsv(args.source, part, collection, queries)
            else:
                job.facts["rows"] = write_lines(
                    part / args.output.name, export_lines(args.source, collection, queries)
                )
        print(f"{args.output}: {job.facts['rows']:,} rows", file=sys.stderr)
    return status or 0


def data_files(args: Namespace) -> tuple[Path | None, list[Path]]:
    """Returns the collection and the files of queries whose ids are used; none where ids are made."""
    folder = args.data or (
        args.source if args.way == "export" and (args.source / "collection.tsv").is_file() else None
    )
    if not folder:
        if args.way == "export":
            raise DataError(f"{args.source}: expected collection.tsv or --data FOLDER, got neither")
        return None, []
    collection, queries = folder / "collection.tsv", sorted(folder.glob("queries*.tsv"))
    if not collection.is_file() or not queries:
        raise DataError(
            f"{folder}: expected collection.tsv and queries.*.tsv, got a folder without"
        )
    return collection, queries


class Rows:
    """Turns rows of texts into rows of ids, all of one width."""

    def __init__(self, width: int, query_ids: Ids, passage_ids: Ids):
        self.width, self.query_ids, self.passage_ids = width, query_ids, passage_ids
        self.missing_titles, self.left_out = Counter(), 0

    def line(self, place: str, columns: list[str]) -> str | None:
        """Returns a line of examples, None for a row that no training takes."""
        labels = ("0",) if self.width == 6 else ("0", "1")
        if len(columns) != self.width:
            raise DataError(f"{place}: expected {self.width} columns, got {len(columns)}")
        if columns[-1] not in labels:
            raise DataError(f"{place}: expected label {' or '.join(labels)}, got {columns[-1]!r}")
        query_id = self.query_ids.of(place, one_line(columns[0], place))
        passage_ids = [
            self.passage(place, *columns[i : i + 2]) for i in range(1, self.width - 1, 2)
        ]
        if len(set(passage_ids)) < len(passage_ids):
            self.left_out += 1
            return None
        return "\t".join((query_id, *passage_ids, *columns[-1:][self.width == 6 :]))

    def passage(self, place: str, title: str, text: str) -> str:
        """Returns a passage's id."""
        if title in NO_TITLE:
            self.missing_titles[title] += 1
            title = ""
        return self.passage_ids.of(place, title, one_line(text, place))


def import_tsv(source: Path, part: Path, collection: Path | None, queries: list[Path]) -> dict:
    """Writes the files of the folder and returns what its manifest says of them."""
    rows = read_foreign(source, (4, 6))
    first = next(rows, None)
    if not first:
        raise DataError(f"{source}: expected rows of 6 or 4 columns, got an empty file")
    width = len(first[1])
    known = (
        (Lookup(queries, True, 2), Lookup([collection], True, 3)) if collection else (None, None)
    )
    with ExitStack() as files:
        ids = Rows(
            width,
            Ids(files, part, "queries.tsv", known[0], "q"),
            Ids(files, part, "collection.tsv", known[1], "p"),
        )
        lines = (ids.line(*row) for row in chain([first], rows))
        count = write_lines(part / (DUAL if width == 6 else CROSS), filter(None, lines))
    forms = ids.missing_titles.most_common() or [(NO_TITLE[width == 4], 0)]
    if ids.left_out or len(forms) > 1:
        print(
            f"{source}: {ids.left_out:,} rows left out whose negative is the positive; {forms[0][1]:,} of "
            f"{ids.missing_titles.total():,} missing titles written {forms[0][0]!r}",
            file=sys.stderr,
        )
    return {"rows": count, "missing_title": forms[0][0], "left_out": ids.left_out}


def export_lines(folder: Path, collection: Path, queries: list[Path]) -> Iterator[str]:
    """Yields the rows of the released form. Raises DataError on an id without a text."""
    name = DUAL if (folder / DUAL).is_file() else CROSS
    missing = read_object(folder / MANIFEST).get("missing_title", NO_TITLE[name == CROSS])
    if missing not in NO_TITLE:
        raise DataError(
            f"{folder / MANIFEST}: expected missing_title to be '-' or nothing, got {missing!r}"
        )
    query_rows, passage_rows = Lookup(queries, False, 2), Lookup([collection], False, 3)

    def text_of(rows: Lookup, key: str, place: str) -> list[str]:
        row = rows.find(key)
        if not row:
            raise DataError(f"{place}: expected an id with a text, got {key!r}")
        return row[1:]

    for place, columns in read_foreign(folder / name, None if name == DUAL else (3,)):
        query = text_of(query_rows, columns[0], place)[0]
        passages = [
            text_of(passage_rows, key, place)
            for key in (columns[1:] if name == DUAL else columns[1:2])
        ]
        (first, *others) = ["\t".join((title or missing, text)) for title, text in passages]
        if name == CROSS:
            yield "\t".join((query, first, columns[2]))
        for other in others:  # a row for each negative
            yield "\t".join((query, first, other, "0"))


if __name__ == "__main__":
    sys.exit(main())
