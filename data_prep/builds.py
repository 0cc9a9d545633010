"""The common parts of the scripts of data_prep/: parser, exit status, files made as artefacts.

Each file that a script builds is an artefact of its own: it is complete or absent, and its manifest
(`NAME.meta.json`) records the digests of its sources, its number of rows and what was left out.
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa.cli.flags import VerbParser, to_path
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.machine_errors import tell_user
from rocketqa.jobs.job import NOT_FINISHED, Job
from rocketqa.jobs.stopping import run_until_stopped

REPEATED = "repeated rows left out"  # this note is not part of the published row counts


class NotFinished(Exception):
    """Raised under --check where a file that the build needs is not on this disk yet."""


class BuildSettings(NamedTuple):
    """The flags that every builder takes, with all defaults filled in."""

    output: Path  # folder that the files are built in
    from_folder: Path | None  # folder with the published files; None: they are downloaded
    downloads: Path  # folder for downloads, unpacked archives and intermediate files
    counts: str  # "published": another row count is an error; "any": it is reported
    check: bool  # build nothing and return whether everything is up to date


def script_parser(script: str, description: str, example: str) -> ArgumentParser:
    """Returns a parser for a script of data_prep/ whose help ends with an example command."""
    return VerbParser(
        f"data_prep/{script}",
        description=description,
        epilog=f"Example:\n  {example}",
        formatter_class=RawDescriptionHelpFormatter,
    )


def add_check_flag(parser: ArgumentParser) -> None:
    """Adds --check, which asks whether everything is up to date."""
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"build nothing: exit 0 if everything is up to date, else {NOT_FINISHED}",
    )


def add_build_flags(parser: ArgumentParser, output: str) -> None:
    """Adds the flags of BuildSettings; `output` is the help text of --output."""
    parser.add_argument("--output", type=to_path, required=True, metavar="DIR", help=output)
    parser.add_argument(
        "--from",
        dest="from_folder",
        type=to_path,
        metavar="DIR",
        help="take the published files, packed or unpacked, from this folder (default: download "
        "them)",
    )
    parser.add_argument(
        "--downloads",
        type=to_path,
        metavar="DIR",
        help="keep downloads and unpacked archives here (default: OUTPUT/downloads)",
    )
    parser.add_argument(
        "--counts",
        choices=("published", "any"),
        help="published: refuse a file whose number of rows is not the published one; any: only "
        "report it (default: published for downloads; any with --from, so that a sample can be "
        "built)",
    )
    add_check_flag(parser)


def settings_of(args: Namespace) -> BuildSettings:
    """Returns the settings that the flags of `add_build_flags` give."""
    default_counts = "any" if args.from_folder else "published"
    return BuildSettings(
        output=args.output,
        from_folder=args.from_folder,
        downloads=args.downloads or args.output / "downloads",
        counts=args.counts or default_counts,
        check=args.check,
    )


def run_script(
    parser: ArgumentParser, build: Callable[[Namespace], int | None], argv: list[str] | None
) -> int:
    """Parses the flags, builds, and returns the exit status.

    0: built or up to date; 2: one line on stderr names what the user has to correct; 3: --check
    found something that is not up to date; 128 + the number of a signal that stopped the script.
    """
    args = parser.parse_args(argv)
    if argv is None:
        return run_until_stopped(parser.prog, lambda: _status_of(build, args, parser.prog))
    return _status_of(build, args, parser.prog)


def _status_of(build: Callable[[Namespace], int | None], args: Namespace, name: str) -> int:
    try:
        return build(args) or 0
    except NotFinished:
        return NOT_FINISHED
    except Exception as error:  # noqa: BLE001  Libraries report a full disk in any way.
        return tell_user(name, error)


def make_file(
    settings: BuildSettings,
    verb: str,
    name: str,
    lines: Iterable[str],
    *,
    inputs: Mapping[str, Path],
    notes: Counter[str] | None = None,
    published_rows: int | None = None,
    flags: Mapping[str, object] | None = None,
) -> int:
    """Makes the file OUTPUT/NAME as an artefact of its own and returns the exit status.

    lines: the rows; a lazy iterable, which is not read if the file is up to date.
    notes: counts of what `lines` leaves out or changes, filled while the lines are read. They are
        printed and written into the manifest.
    published_rows: the published number of rows, repeated ones included.

    Raises DataError if there are no rows, or not as many as published with --counts published.
    """
    notes = Counter() if notes is None else notes
    flags = {} if flags is None else flags
    job = Job(verb, settings.output / name, flags=flags, inputs=inputs)

    def write(part: Path) -> None:
        row_count = _write_rows(part / name, lines, job.output)
        if published_rows is not None:
            source_rows = row_count + notes[REPEATED]
            _compare(source_rows, published_rows, settings.counts, job.output, notes)
        job.facts["rows"] = row_count
        job.facts["notes"] = dict(notes)
        if "titles" in flags:
            job.facts["titles"] = flags["titles"]
        _report(job.output, row_count, notes)

    return job.run(write, settings.check)


def _write_rows(path: Path, lines: Iterable[str], output: Path) -> int:
    """Writes the lines and returns their number. Raises DataError if there are none."""
    try:
        row_count = write_lines(path, lines)
    except UnicodeEncodeError as error:  # JSON and Python literals can spell lone surrogates
        character = error.object[error.start]
        raise DataError(f"{output}: expected characters, got {character!r}") from None
    if not row_count:
        raise DataError(f"{output}: expected rows, got none")
    return row_count


def _compare(
    source_rows: int, published_rows: int, counts: str, output: Path, notes: Counter[str]
) -> None:
    """Refuses or notes a number of rows that is not the published one."""
    if source_rows == published_rows:
        return
    if counts == "published":
        raise DataError(
            f"{output}: expected {published_rows:,} rows as published, got {source_rows:,}"
        )
    note = f"rows fewer or more than the {published_rows:,} published"
    notes[note] = abs(published_rows - source_rows)


def _report(output: Path, row_count: int, notes: Counter[str]) -> None:
    """Prints the number of rows, and the notes that are not zero."""
    parts = [f"{number:,} {note}" for note, number in notes.items() if number]
    remarks = f" ({'; '.join(parts)})" if parts else ""
    print(f"{output}: {row_count:,} rows{remarks}", file=sys.stderr)
