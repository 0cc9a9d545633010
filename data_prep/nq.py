"""Builds the files of Natural Questions from DPR's release or from the released RocketQA corpus.

    collection.tsv  queries.{train,dev,test}.tsv  qrels.{train,dev}.tsv  qrels.train.addition.tsv
    answers.{train,dev,test}.tsv  bm25.train.run

Each file is an artefact of its own. --source dpr (the default) reads

    psgs_w100.tsv            21,015,324 passages; their ids are kept
    biencoder-nq-train.json  58,880 examples; 58,812 of them have hard negatives (table 1)
    biencoder-nq-dev.json    6,515 examples, all of them kept
    nq-test.qa.csv           3,610 queries with their answers

DPR's queries have no ids: `train-1` is the first example of its file, whatever is left out. The
first positive passage of an example is the one that DPR trains on: qrels.SPLIT.tsv. The further
positives contain the answer too and must not become negatives: qrels.train.addition.tsv, if there
are any. The hard negatives of an example were found by BM25 and contain no answer. They make
bm25.train.run, in their order and with 1 / rank for the scores that DPR does not publish; the
released stage 1 trains on them. The paper leaves out "examples with empty negatives"; we take these
to be the training examples without hard negatives.

--source released reads the released RocketQA corpus, nq.tar.gz: para.txt, para.title.txt,
SPLIT.query.txt, SPLIT.answers.txt (query_id, answer, answer ...) and qrels.SPLIT.tsv, as far as
they exist. Assumption: they are laid out like those of MS MARCO.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from builds import (
    BuildSettings,
    add_build_flags,
    make_file,
    run_script,
    script_parser,
    settings_of,
)
from dpr_files import (
    Example,
    passage_lines,
    read_array,
    read_test_split,
    used_examples,
)
from nq_released import build_from_released_corpus
from releases import (
    DPR_DEV,
    DPR_PASSAGES,
    DPR_TEST,
    DPR_TRAIN,
    NQ_PASSAGES,
    NQ_QUERIES,
    NQ_TRAIN_EXAMPLES,
    file_of,
)

from rocketqa.files.runs import ScoredPassage, run_lines
from rocketqa.jobs.download import Source

LinesOf = Callable[[Iterable[Example]], Iterator[str]]  # a file's rows from a split's examples


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "nq.py",
        "Build the files of Natural Questions from DPR's release or the released RocketQA corpus.",
        "python data_prep/nq.py --output data/nq",
    )
    add_build_flags(parser, "folder that the files are built in")
    parser.add_argument(
        "--source",
        choices=("dpr", "released"),
        default="dpr",
        help="which published files are read (default: %(default)s)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the files and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes each file that is not up to date and returns the exit status."""
    settings = settings_of(args)
    if args.source == "dpr":
        statuses = build_from_dpr(settings)
    else:
        statuses = build_from_released_corpus(settings)
    return max(statuses)


def build_from_dpr(settings: BuildSettings) -> list[int]:
    """Makes the files from DPR's and returns the exit statuses."""
    statuses = []
    statuses += make_split(settings, "train", DPR_TRAIN, NQ_TRAIN_EXAMPLES)
    statuses += make_split(settings, "dev", DPR_DEV, NQ_QUERIES["dev"])
    questions = file_of(DPR_TEST, settings)
    passages = file_of(DPR_PASSAGES, settings)
    statuses += make_test_split(settings, questions)
    collection = make_file(
        settings,
        "nq collection",
        "collection.tsv",
        passage_lines(passages),
        inputs={"passages": passages},
        published_rows=NQ_PASSAGES,
        flags={"titles": "yes", "source": "dpr"},
    )
    return [*statuses, collection]


def make_split(
    settings: BuildSettings, split: str, source: Source, published_examples: int
) -> list[int]:
    """Makes queries, answers, judgements and BM25's run of a split; returns the exit statuses.

    The published JSON is read once: the fields that are used of it are an intermediate file.
    """
    examples = file_of(source, settings)
    reduced = settings.downloads / f"examples.{split}.jsonl"
    status = make_file(
        settings._replace(output=settings.downloads),
        "nq examples",
        reduced.name,
        map(json.dumps, read_array(examples)),
        inputs={"examples": examples},
        published_rows=published_examples,
    )
    if status:
        return [status]
    make = partial(make_split_file, settings, split, reduced)
    statuses = [
        make(f"queries.{split}.tsv", query_lines, NQ_QUERIES[split]),
        make(f"answers.{split}.tsv", answer_lines, NQ_QUERIES[split]),
        make(f"qrels.{split}.tsv", first_positive_lines, NQ_QUERIES[split]),
    ]
    if split == "train":
        statuses.append(make("bm25.train.run", bm25_lines, None))
        if has_further_positives(reduced):
            name = "qrels.train.addition.tsv"
            statuses.append(make(name, further_positive_lines, None))
    return statuses


def make_split_file(
    settings: BuildSettings,
    split: str,
    reduced: Path,
    name: str,
    lines_of: LinesOf,
    published_rows: int | None,
) -> int:
    """Makes a file of the rows that `lines_of` yields for the examples of a split."""
    notes: Counter[str] = Counter()
    examples = used_examples(reduced, split, notes)
    return make_file(
        settings,
        f"nq {split}",
        name,
        lines_of(examples),
        inputs={"examples": reduced},
        notes=notes,
        published_rows=published_rows,
    )


def query_lines(examples: Iterable[Example]) -> Iterator[str]:
    """Yields rows of query_id and text."""
    for example in examples:
        yield f"{example.query_id}\t{example.text}"


def answer_lines(examples: Iterable[Example]) -> Iterator[str]:
    """Yields rows of query_id and answers."""
    for example in examples:
        yield "\t".join((example.query_id, *example.answers))


def first_positive_lines(examples: Iterable[Example]) -> Iterator[str]:
    """Yields a judgement for the positive passage that DPR trains on."""
    for example in examples:
        yield f"{example.query_id}\t0\t{example.positive_ids[0]}\t1"


def further_positive_lines(examples: Iterable[Example]) -> Iterator[str]:
    """Yields a judgement for each further positive passage."""
    for example in examples:
        for passage_id in example.positive_ids[1:]:
            yield f"{example.query_id}\t0\t{passage_id}\t1"


def has_further_positives(reduced: Path) -> bool:
    """Returns whether a used training example has more than one positive passage."""
    examples = used_examples(reduced, "train", Counter())
    return any(example.positive_ids[1:] for example in examples)


def bm25_lines(examples: Iterable[Example]) -> Iterator[str]:
    """Yields the rows of a TREC run with the hard negatives of each example."""
    for example in examples:
        positive_ids = set(example.positive_ids)
        negative_ids = [key for key in example.negative_ids if key not in positive_ids]
        ranking = [
            ScoredPassage(example.query_id, passage_id, rank, 1 / rank)
            for rank, passage_id in enumerate(negative_ids, 1)
        ]
        yield from run_lines(ranking)


def make_test_split(settings: BuildSettings, questions: Path) -> list[int]:
    """Makes queries and answers of the test split and returns the exit statuses."""
    statuses = []
    for name, lines in (
        ("queries.test.tsv", queries_of_test_split(questions)),
        ("answers.test.tsv", answers_of_test_split(questions)),
    ):
        inputs = {"questions": questions}
        rows = NQ_QUERIES["test"]
        status = make_file(settings, "nq test", name, lines, inputs=inputs, published_rows=rows)
        statuses.append(status)
    return statuses


def queries_of_test_split(questions: Path) -> Iterator[str]:
    """Yields rows of query_id and text from DPR's test questions."""
    for query_id, text, _ in read_test_split(questions):
        yield f"{query_id}\t{text}"


def answers_of_test_split(questions: Path) -> Iterator[str]:
    """Yields rows of query_id and answers from DPR's test questions."""
    for query_id, _, answers in read_test_split(questions):
        yield "\t".join((query_id, *answers))


if __name__ == "__main__":
    sys.exit(main())
