"""Builds SQuAD 1.1 as a data set for retrieval: windows of its articles, or its paragraphs.

    collection.tsv  queries.{train,dev,unlabelled}.tsv  qrels.{train,dev}.tsv
    truth.{train,dev,unlabelled}.tsv (windows only)

The source is the official file dev-v1.1.json (48 articles), which is downloaded and compared with
its published digest, or the files of --from in the same form. All articles are in the collection.
--dev-articles of them, drawn by --seed, have the dev queries; of the questions about the others one
half, drawn too, are training queries and the other half are unlabelled. With --train-questions N
only the first N that are drawn for each half are taken.

With --words the articles are cut into windows as data_prep/documents.py cuts documents. With a
smaller --stride they overlap, so several windows hold an answer. One of these, drawn by --seed, is
the label of its query, and all of them are the truth: the retriever meets relevant passages without
a label, as on MS MARCO. Without --words a passage is a paragraph, its only label.

All articles are in memory.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from builds import BuildSettings, add_check_flag, make_file, run_script, script_parser
from cutting import Cutting, Document, Window, passage_of, windows_of
from document_labels import Labels, Span, labels_of
from documents import add_cutting_flags, cutting_of
from releases import SQUAD, file_of
from squad_json import Article, Question, read_articles

from rocketqa.cli.flags import NumberType, to_path
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Query, line_of
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1
from rocketqa.jobs.seeds import generator

SPLITS = ("train", "dev", "unlabelled")


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "squad.py",
        "Build SQuAD 1.1 for retrieval: windows of its articles, or its paragraphs.",
        "python data_prep/squad.py --words 100 --stride 33 --output data/windows",
    )
    parser.add_argument("--output", type=to_path, required=True, help="folder to make the files in")
    parser.add_argument(
        "--from",
        dest="given",
        type=to_path,
        nargs="+",
        metavar="FILE",
        help="files in the official form (default: download dev-v1.1.json)",
    )
    parser.add_argument(
        "--downloads",
        type=to_path,
        metavar="DIR",
        help="keep the download here (default: OUTPUT/downloads)",
    )
    add_cutting_flags(parser, words=None)
    parser.add_argument(
        "--dev-articles",
        type=NumberType(WHOLE_FROM_1),
        default=12,
        help="number of articles with the dev queries (default: %(default)s)",
    )
    parser.add_argument(
        "--train-questions",
        type=NumberType(WHOLE_FROM_1),
        metavar="N",
        help="most training questions, and as many unlabelled ones (default: all)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="draws the dev articles, the unlabelled queries and the labels (default: %(default)s)",
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the files that are not up to date, and returns the exit status."""
    cutting = None
    if args.words:
        cutting = cutting_of(args)
    elif args.stride:
        raise DataError(f"--stride: expected --words with it, got {args.stride} alone")
    settings = BuildSettings(
        args.output, None, args.downloads or args.output / "downloads", "any", args.check
    )
    paths = args.given or [file_of(SQUAD, settings)]
    squad = Squad(paths, cutting, Draw(args.dev_articles, args.train_questions, args.seed))
    status = max(make_all(squad, settings))
    if status == 0:
        print(f"next: rocketqa validate {args.output}", file=sys.stderr)
    return status


class Split(NamedTuple):
    """The queries of a split that have a label, and their labels."""

    queries: list[Query]
    labels: Labels


class Draw(NamedTuple):
    """How the questions are drawn for the splits."""

    dev_articles: int
    train_questions: int | None  # the most for each half; None: all
    seed: int


class Squad:
    """The passages and the splits of the files, read when they are first needed."""

    def __init__(self, paths: list[Path], cutting: Cutting | None, draw: Draw):
        self.paths = paths
        self.cutting = cutting  # None: into paragraphs
        self.draw = draw
        self.notes: Counter[str] = Counter()  # of the files

    @cached_property
    def articles(self) -> list[Article]:
        """The articles. Raises DataError if they are too few."""
        articles = read_articles(self.paths, self.notes)
        if len(articles) <= self.draw.dev_articles:
            got = f"{self.draw.dev_articles} of {len(articles)}"
            raise DataError(f"--dev-articles: expected fewer than there are articles, got {got}")
        return articles

    @cached_property
    def paragraphs(self) -> dict[str, list[Window]]:
        """document_id -> its paragraphs."""
        return {article.document.document_id: article.paragraphs for article in self.articles}

    @cached_property
    def questions(self) -> dict[str, list[Question]]:
        """Split -> its questions, in file order."""
        drawn = generator(self.draw.seed, "dev articles").permutation(len(self.articles))
        of_dev = set(drawn[: self.draw.dev_articles].tolist())
        dev: list[Question] = []
        others: list[Question] = []
        for number, article in enumerate(self.articles):
            (dev if number in of_dev else others).extend(article.questions)
        order = generator(self.draw.seed, "unlabelled queries").permutation(len(others)).tolist()
        half, most = (len(others) + 1) // 2, self.draw.train_questions
        train, unlabelled = (
            [others[at] for at in sorted(part[:most])] for part in (order[:half], order[half:])
        )
        return {"train": train, "dev": dev, "unlabelled": unlabelled}

    @cached_property
    def splits(self) -> dict[str, Split]:
        """Split -> its queries and labels."""
        return {name: self._split(self.questions[name]) for name in SPLITS}

    def _split(self, questions: list[Question]) -> Split:
        spans: dict[str, list[Span]] = {}
        for number, question in enumerate(questions):
            of_document = spans.setdefault(question.span.document_id, [])
            of_document.append(question.span._replace(number=number))
        documents = [article.document for article in self.articles]
        labels = labels_of(documents, spans, self.windows, self.draw.seed)
        labelled = {line.split("\t")[0] for line in labels.qrels}
        queries = []
        for question in questions:
            if question.query_id in labelled:
                queries.append(Query(question.query_id, question.text))
        return Split(queries, labels)

    def windows(self, document: Document) -> list[Window]:
        """Returns the parts of a document that become passages."""
        if self.cutting is None:
            return self.paragraphs[document.document_id]
        return windows_of(document.text, self.cutting)

    def passage_lines(self) -> Iterator[str]:
        """Yields the rows of collection.tsv."""
        for article in self.articles:
            for window in self.windows(article.document):
                passage = passage_of(article.document, window)
                if passage.text:
                    yield line_of(passage)

    def query_lines(self, split: str) -> Iterator[str]:
        """Yields the rows of the queries of a split."""
        yield from map(line_of, self.splits[split].queries)

    def qrel_lines(self, split: str) -> Iterator[str]:
        """Yields the labels of a split."""
        yield from self.splits[split].labels.qrels

    def truth_lines(self, split: str) -> Iterator[str]:
        """Yields all relevant passages of the queries of a split."""
        yield from self.splits[split].labels.truth

    def notes_of(self, split: str) -> Counter[str]:
        """Returns what was left out of the files and of a split."""
        return self.notes + self.splits[split].labels.notes


def make_all(squad: Squad, settings: BuildSettings) -> Iterator[int]:
    """Makes each file, and yields the exit statuses."""
    if squad.cutting is None:
        refuse_truth_of_windows(settings.output)
    yield make_one(squad, settings, "collection.tsv", squad.passage_lines)
    for split in SPLITS:
        yield make_one(squad, settings, f"queries.{split}.tsv", squad.query_lines, split)
        if split != "unlabelled":
            yield make_one(squad, settings, f"qrels.{split}.tsv", squad.qrel_lines, split)
        if squad.cutting is not None:
            yield make_one(squad, settings, f"truth.{split}.tsv", squad.truth_lines, split)


def refuse_truth_of_windows(folder: Path) -> None:
    """Raises DataError where a folder for paragraphs holds the truth of windows."""
    for split in SPLITS:
        path = folder / f"truth.{split}.tsv"
        if path.exists():
            raise DataError(f"{path}: expected a folder without it, got the truth of windows")


def make_one(
    squad: Squad,
    settings: BuildSettings,
    name: str,
    lines_of: Callable[..., Iterator[str]],
    *split: str,
) -> int:
    """Makes a file and returns the exit status."""
    notes: Counter[str] = Counter()

    def lines() -> Iterator[str]:
        yield from lines_of(*split)
        notes.update(squad.notes_of(*split) if split else squad.notes)

    cutting: dict[str, object] = {"words": None}
    if squad.cutting:
        cutting = squad.cutting._asdict()
    of_splits = squad.draw._asdict() if split else {}
    return make_file(
        settings,
        "squad",
        name,
        lines(),
        inputs={f"file_{number}": path for number, path in enumerate(squad.paths)},
        notes=notes,
        flags=cutting | of_splits,
    )


if __name__ == "__main__":
    sys.exit(main())
