"""Cuts documents into passages, and carries their labels along.

    collection.tsv  qrels.SPLIT.tsv  truth.SPLIT.tsv

The documents are a folder of text files (UTF-8), or a file of JSON lines with id, title and text
(gzipped if its name ends in `.gz`). A text file's id is its path below the folder, its title its
name without the ending. Passages have at most --words words, or characters in scripts without
blanks, and end with a sentence where they can: `cutting.py` has the rules. The id of a passage is
`DOCUMENT@BEGIN-END`, the characters of its document from 0; a blank in a document's id becomes %20.

--spans SPANS.SPLIT.tsv has rows of query_id, document_id, begin and end: characters, from 0, of a
text that answers the query. Python counts so: a line end CRLF of a text file is one character. Of
the passages that hold the whole span, one, drawn by --seed, goes into qrels.SPLIT.tsv, and all go
into truth.SPLIT.tsv. --qrels QRELS.SPLIT.tsv has judgements with ids of documents in place of those
of passages: each passage of a document gets its relevance. Labels of documents that are not there,
and spans that are in no passage as a whole, are left out, counted and reported.

A document is in memory at a time, and the labels.
"""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from builds import BuildSettings, add_check_flag, make_file, run_script, script_parser
from cutting import Cutting, Document, passage_of, windows_of
from document_files import DocumentSource, documents_of
from document_labels import Labels, labels_of_judged, labels_of_spans

from rocketqa.cli.flags import NumberType, to_path, to_text
from rocketqa.files.errors import DataError
from rocketqa.files.formats import line_of
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1

LABELS_NAME = re.compile(r".+\.([\w-]+)\.tsv(\.gz)?")


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "documents.py",
        "Cut documents into passages, and carry their labels along.",
        "python data_prep/documents.py articles --words 100 --stride 33 --output data/mine "
        "--spans spans.train.tsv spans.dev.tsv",
    )
    parser.add_argument(
        "source", type=to_path, help="a folder of text files, or JSON lines with id, title, text"
    )
    parser.add_argument("--output", type=to_path, required=True, help="folder to make the files in")
    add_cutting_flags(parser)
    parser.add_argument(
        "--pattern",
        type=to_text,
        default="*.txt",
        help="which files of the folder, and of those below it, are documents "
        "(default: %(default)s)",
    )
    add_label_flags(parser)
    add_check_flag(parser)
    return parser


def add_cutting_flags(parser: ArgumentParser, words: int | None = 100) -> None:
    """Adds the flags of a Cutting; words: the default, None for passages that are not cut."""
    shown = "%(default)s" if words else "none: a passage is a paragraph"
    parser.add_argument(
        "--words",
        type=NumberType(WHOLE_FROM_1),
        default=words,
        help=f"most words of a passage (default: {shown})",
    )
    parser.add_argument(
        "--stride",
        type=NumberType(WHOLE_FROM_1),
        help="words from the beginning of a passage to that of the next (default: that of --words, "
        "so that passages do not overlap)",
    )
    parser.add_argument(
        "--sentences",
        choices=("yes", "no"),
        default="yes",
        help="yes: cut at the ends of sentences where the second half of a passage has one; "
        "no: after exactly so many words (default: %(default)s)",
    )


def add_label_flags(parser: ArgumentParser) -> None:
    """Adds the files of labels, and the seed."""
    parser.add_argument(
        "--spans",
        type=to_path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files NAME.SPLIT.tsv with query_id, document_id, begin, end (default: none)",
    )
    parser.add_argument(
        "--qrels",
        type=to_path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files NAME.SPLIT.tsv with judgements of documents, as qrels (default: none)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="decides which of the passages that hold a span is labelled (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
    """Makes the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the files that are not up to date, and returns the exit status."""
    source = DocumentSource(args.source, args.pattern)
    cutting = cutting_of(args)
    refuse_output_in_source(args.output, args.source)
    refuse_repeated_splits([*args.spans, *args.qrels])
    settings = BuildSettings(args.output, None, args.output, counts="any", check=args.check)
    maker = Maker(source, cutting, settings)
    statuses = [maker.make_collection()]
    for path in args.spans:
        statuses.append(maker.make_labels_of_spans(path, args.seed))
    for path in args.qrels:
        statuses.append(maker.make_labels_of_judged(path))
    status = max(statuses)
    if status == 0:
        print(
            f"next: put queries.SPLIT.tsv into {args.output}, and rocketqa validate {args.output}",
            file=sys.stderr,
        )
    return status


def cutting_of(args: Namespace) -> Cutting:
    """Returns how to cut. Raises DataError if words between two passages would be lost."""
    stride = args.stride or args.words
    if stride > args.words:
        raise DataError(f"--stride: expected at most the {args.words} of --words, got {stride}")
    return Cutting(args.words, stride, args.sentences == "yes")


def refuse_output_in_source(output: Path, source: Path) -> None:
    """Raises DataError if the output would be taken for documents at the next call."""
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise DataError(f"--output: expected a folder outside of {source}, got {output}")


def refuse_repeated_splits(paths: list[Path]) -> None:
    """Raises DataError if two files of labels are of one split."""
    splits = Counter(map(split_of, paths))
    for path in paths:
        split = split_of(path)
        if splits[split] > 1:
            raise DataError(f"{path}: expected one file of labels for {split!r}, got several")


def split_of(path: Path) -> str:
    """Returns the SPLIT of a file NAME.SPLIT.tsv. Raises DataError for another name."""
    match = LABELS_NAME.fullmatch(path.name)
    if not match:
        raise DataError(f"{path}: expected a name such as spans.dev.tsv, got {path.name!r}")
    return match[1]


class Maker:
    """Makes the files of one cutting of the documents."""

    def __init__(self, source: DocumentSource, cutting: Cutting, settings: BuildSettings):
        self.source = source
        self.cutting = cutting
        self.settings = settings

    @property
    def flags(self) -> dict[str, object]:
        """What decides the passages besides the documents."""
        return {**self.cutting._asdict(), "pattern": self.source.pattern}

    def make_collection(self) -> int:
        """Makes collection.tsv and returns the exit status."""
        notes: Counter[str] = Counter()
        return make_file(
            self.settings,
            "documents collection",
            "collection.tsv",
            self._collection_lines(notes),
            inputs={"source": self.source.path},
            notes=notes,
            flags=self.flags,
        )

    def _collection_lines(self, notes: Counter[str]) -> Iterator[str]:
        for document in documents_of(self.source, notes):
            for window in windows_of(document.text, self.cutting):
                yield line_of(passage_of(document, window))

    def make_labels_of_spans(self, path: Path, seed: int) -> int:
        """Makes qrels and truth of a split from spans, and returns the exit status."""

        @cache
        def labels() -> Labels:
            return labels_of_spans(self._documents(), path, self.cutting, seed)

        split = split_of(path)
        flags = {**self.flags, "seed": seed}
        qrels_status = self._make_labels(f"qrels.{split}.tsv", labels, path, flags)
        truth_status = self._make_labels(f"truth.{split}.tsv", labels, path, flags)
        return max(qrels_status, truth_status)

    def make_labels_of_judged(self, path: Path) -> int:
        """Makes qrels of a split from judgements of documents, and returns the exit status."""

        def labels() -> Labels:
            return labels_of_judged(self._documents(), path, self.cutting)

        return self._make_labels(f"qrels.{split_of(path)}.tsv", labels, path, self.flags)

    def _documents(self) -> Iterator[Document]:
        return documents_of(self.source, Counter())

    def _make_labels(
        self, name: str, labels: Callable[[], Labels], path: Path, flags: dict[str, object]
    ) -> int:
        """Makes a file of labels and returns the exit status; `labels` is called if it must be."""
        notes: Counter[str] = Counter()

        def lines() -> Iterator[str]:
            found = labels()
            notes.update(found.notes)
            yield from found.truth if name.startswith("truth") else found.qrels

        return make_file(
            self.settings,
            "documents labels",
            name,
            lines(),
            inputs={"source": self.source.path, "labels": path},
            notes=notes,
            flags=flags,
        )


if __name__ == "__main__":
    sys.exit(main())
