"""Makes our files of a BEIR folder (import), and a BEIR folder of our files (export).

    collection.tsv  queries.SPLIT.tsv  qrels.SPLIT.tsv

`import` takes a folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, an archive of one, or
the name of a public data set of BEIR, which is downloaded and compared with its published md5. Each
file is an artefact of its own. A split has the queries that its qrels judge. A tab or a line end in
a text becomes a space.

The following are left out, counted and reported, each kind by its name: judgements of queries or
passages that are not there, pairs that are judged again, repeated ids, and texts that are empty. In
some data sets (ArguAna, Quora) the queries are passages of the collection, which would find
themselves: they are counted, and the commands that are printed at the end then have the flag of
`rocketqa evaluate` that leaves the query's own passage out, as BEIR's own evaluation does.

`export` writes corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv of a folder with collection.tsv and,
for each split, queries.SPLIT.tsv and qrels.SPLIT.tsv.
"""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from beir_files import (
    CORPUS,
    CORPUS_NAMES,
    QRELS,
    QUERIES,
    SAME_ID,
    STANDING,
    BeirFolder,
    corpus_lines,
    qrels_lines,
    queries_lines,
)
from builds import (
    BuildSettings,
    NotFinished,
    add_check_flag,
    make_file,
    run_script,
    script_parser,
)
from releases import BEIR, BEIR_ARCHIVES, unpacked_download

from rocketqa.cli.flags import to_path, to_text
from rocketqa.files.errors import DataError
from rocketqa.files.formats import (
    COLLECTION_COLUMNS,
    Query,
    passage_from_row,
    read_qrels,
    read_queries,
    write_lines,
)
from rocketqa.files.rows import read_rows
from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.digests import manifest_of
from rocketqa.jobs.download import Source
from rocketqa.jobs.job import Job
from rocketqa.jobs.unpack import unpack

IGNORE_IDENTICAL = "--ignore-identical-ids"  # of `rocketqa evaluate`
QRELS_NAME = re.compile(r"qrels\.([\w-]+)\.tsv")
ARCHIVE_ENDING = re.compile(r"\.(zip|tar|tgz|tar\.gz)$")


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "beir.py",
        "Make our files of a BEIR folder (import), and a BEIR folder of our files (export).",
        "python data_prep/beir.py import scifact --output data/scifact",
    )
    parser.add_argument("direction", choices=("import", "export"), help="what to do")
    parser.add_argument(
        "source",
        type=to_text,
        help="import: a BEIR folder, its archive (zip or tar), or the name of a public data set, "
        f"which is downloaded: {', '.join(BEIR)}; export: a folder with our files",
    )
    parser.add_argument("--output", type=to_path, required=True, help="folder to make")
    parser.add_argument(
        "--downloads",
        type=to_path,
        metavar="DIR",
        help="import: keep downloads and unpacked archives here (default: OUTPUT/downloads)",
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the files that are not up to date, and returns the exit status."""
    if args.direction == "export":
        return export_folder(Path(args.source), args.output, args.check)
    settings = BuildSettings(
        output=args.output,
        from_folder=None,
        downloads=args.downloads or args.output / "downloads",
        counts="any",
        check=args.check,
    )
    folder = BeirFolder(folder_of(args.source, settings))
    status = import_folder(folder, settings)
    if status == 0:
        print_next_commands(folder, settings.output)
    return status


def folder_of(source: str, settings: BuildSettings) -> Path:
    """Returns the BEIR folder that a path or the name of a data set stands for.

    Raises DataError if there is none, and NotFinished under --check if it would have to be
    downloaded or unpacked.
    """
    path = Path(source)
    if path.is_dir():
        return folder_with_corpus(path)
    if path.is_file():
        return folder_with_corpus(unpacked_archive(path, settings))
    if source not in BEIR:
        names = ", ".join(BEIR)
        expected = f"a BEIR folder, its archive, or one of the names {names}"
        raise DataError(f"{source}: expected {expected}, got nothing there")
    archive = Source(f"{BEIR_ARCHIVES}/{source}.zip", md5=BEIR[source])
    return folder_with_corpus(unpacked_download(archive, settings))


def unpacked_archive(archive: Path, settings: BuildSettings) -> Path:
    """Returns the folder that an archive is unpacked into; NotFinished if --check misses it."""
    folder = settings.downloads / ARCHIVE_ENDING.sub("", archive.name)
    if settings.check and not folder.is_dir():
        raise NotFinished
    return unpack(archive, folder)


def folder_with_corpus(folder: Path) -> Path:
    """Returns the folder itself, or the one below it, that holds corpus.jsonl.

    Raises DataError if there is none, or if there are several, as in CQADupStack's archive.
    """
    found = {path.parent for path in folder.rglob(f"{CORPUS}*") if path.name in CORPUS_NAMES}
    if folder in found:
        return folder
    if len(found) == 1:
        return found.pop()
    if found:
        names = ", ".join(sorted(map(str, found)))
        raise DataError(f"{folder}: expected one folder with {CORPUS}, got {names}: give one")
    raise DataError(f"{folder}: expected {CORPUS}, got a folder without it")


def import_folder(folder: BeirFolder, settings: BuildSettings) -> int:
    """Makes the collection, and queries and qrels of each split; returns the exit status."""
    statuses = [make_collection(folder, settings)]
    for split in folder.qrels:
        statuses.append(make_split(folder, split, settings))
    return max(statuses)


def make_collection(folder: BeirFolder, settings: BuildSettings) -> int:
    """Makes collection.tsv and returns the exit status."""
    notes: Counter[str] = Counter()
    return make_file(
        settings,
        "beir collection",
        "collection.tsv",
        folder.collection_lines(notes),
        inputs={"corpus": folder.corpus},
        notes=notes,
    )


def make_split(folder: BeirFolder, split: str, settings: BuildSettings) -> int:
    """Makes the queries and the judgements of a split and returns the exit status."""
    makers = {"queries": folder.query_lines, "qrels": folder.qrels_lines}
    statuses = []
    for name, lines in makers.items():
        notes: Counter[str] = Counter()
        status = make_file(
            settings,
            f"beir {name}",
            f"{name}.{split}.tsv",
            lines(split, notes),
            inputs=inputs_of(folder, split),
            notes=notes,
        )
        statuses.append(status)
    return max(statuses)


def inputs_of(folder: BeirFolder, split: str) -> dict[str, Path]:
    """Returns what the queries and the judgements of a split are made of."""
    return {"corpus": folder.corpus, "queries": folder.queries, "qrels": folder.qrels[split]}


def print_next_commands(folder: BeirFolder, output: Path) -> None:
    """Prints the command that checks the files, and one for each split that evaluates a run."""
    print(f"next: rocketqa validate {output}", file=sys.stderr)
    for split in folder.qrels:
        command = f"rocketqa evaluate --run RUN --qrels {output / f'qrels.{split}.tsv'}"
        manifest = manifest_of(output / f"queries.{split}.tsv")
        if finds_itself(read_object(manifest).get("notes")):
            command += f" {IGNORE_IDENTICAL}"
        print(f"next: {command}", file=sys.stderr)


def finds_itself(notes: object) -> bool:
    """Returns whether most queries that share the id of a passage share its text, too."""
    if not isinstance(notes, dict):
        return False
    return notes.get(STANDING, 0) > notes.get(SAME_ID, 0)


def export_folder(source: Path, output: Path, check: bool) -> int:
    """Makes a BEIR folder of a folder with our files, and returns the exit status."""
    collection = source / "collection.tsv"
    paths = [path for path in sorted(source.glob("qrels.*.tsv")) if split_of(path)]
    qrels = {split_of(path): path for path in paths}
    if not qrels:
        raise DataError(f"{source}: expected qrels.SPLIT.tsv, got a folder without it")
    queries = [source / f"queries.{split}.tsv" for split in qrels]
    job = Job(
        "beir export",
        output,
        flags={},
        inputs={"collection": collection, "queries": queries, "qrels": paths},
    ).of_folder()

    def write(part: Path) -> None:
        (part / QRELS).mkdir(exist_ok=True)
        passages = map(passage_from_row, read_rows(collection, COLLECTION_COLUMNS))
        passage_count = write_lines(part / CORPUS, corpus_lines(passages))
        every_query = queries_lines(each_query_once(queries))
        query_count = write_lines(part / QUERIES, every_query)
        for split, path in qrels.items():
            write_lines(part / QRELS / f"{split}.tsv", qrels_lines(read_qrels(path)))
        job.facts |= {"passages": passage_count, "queries": query_count}
        counts = f"{passage_count:,} passages, {query_count:,} queries"
        print(f"{output}: {counts}, qrels of {', '.join(qrels)}", file=sys.stderr)

    return job.run(write, check)


def split_of(path: Path) -> str:
    """Returns the SPLIT of qrels.SPLIT.tsv; nothing for another name."""
    match = QRELS_NAME.fullmatch(path.name)
    return match[1] if match else ""


def each_query_once(paths: list[Path]) -> Iterator[Query]:
    """Yields the queries of all splits. Raises DataError if two have one id and two texts."""
    seen: dict[str, str] = {}
    for path in paths:
        for query in read_queries(path).values():
            if query.query_id not in seen:
                seen[query.query_id] = query.text
                yield query
            elif seen[query.query_id] != query.text:
                got = f"another for {query.query_id!r}"
                raise DataError(f"{path}: expected one text for an id in all splits, got {got}")


if __name__ == "__main__":
    sys.exit(main())
