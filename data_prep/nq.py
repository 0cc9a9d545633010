"""Build Natural Questions' files as DPR has them: `python data_prep/nq.py --output data/nq [--from DIR]`.

    collection.tsv  queries.{train,dev,test}.tsv  qrels.{train,dev}.tsv  qrels.train.addition.tsv
    answers.{train,dev,test}.tsv  bm25.train.run

Each is an artefact of its own. --source dpr (the default) reads

    psgs_w100.tsv             id, text, title: a CSV with tabs and quotes, 21,015,324 passages; ids are kept
    biencoder-nq-train.json   58,880 examples; those without hard negatives are left out, 58,812 stay (table 1)
    biencoder-nq-dev.json     6,515 examples, all of them kept
    nq-test.qa.csv            3,610 questions with a Python list of answers, read as a literal and never evaluated

DPR's questions have no ids: `train-1` is the first example of its file, whatever is left out. An example's first
positive passage is the one that DPR trains on: qrels.SPLIT.tsv. The others contain the answer, too, and belong into no
negatives: qrels.train.addition.tsv, where there are any. Its hard negatives, which BM25 found and which hold no answer,
are bm25.train.run, in their order, without scores of their own (1 / rank): the released stage 1 trains on them. The
paper says "examples with empty negatives": taken as those.

--source released reads the released RocketQA corpus, nq.tar.gz: para.txt, para.title.txt, SPLIT.query.txt,
SPLIT.answers.txt (query_id, answer, answer ...) and qrels.SPLIT.tsv, where they are. Assumed to be laid out as marco's.
"""

import ast
import csv
import io
import json
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from marco import collection_lines, make_qrels
from releases import (
    DPR_DEV,
    DPR_PASSAGES,
    DPR_TEST,
    DPR_TRAIN,
    RELEASED_NQ,
    add_source_flags,
    file_of,
    folder_of,
    settle_source_flags,
)
from sources import Ids, identifier, make_file, one_line, open_bytes, read_foreign, run

from rocketqa.files.answers import tokens
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage, run_lines

PASSAGES = 21_015_324
COUNTS = {"train": 58_812, "dev": 6_515, "test": 3_610}
BLOCK, LONGEST = 1 << 20, 1 << 26  # characters read at once; of one example, at most


class Example(NamedTuple):
    """A training or dev example, ids in place of passages."""

    query_id: str
    text: str
    answers: list[str]
    positive_ids: list[str]  # the first is the one that DPR trains on
    negative_ids: list[str]


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/nq.py", description=__doc__.splitlines()[0])
    add_source_flags(parser, "folder to build the files in")
    parser.add_argument("--source", choices=("dpr", "released"), default="dpr")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the files and returns the exit status."""
    return run(
        build_parser(),
        lambda args: (build_dpr if args.source == "dpr" else build_released)(
            settle_source_flags(args)
        ),
        argv,
    )


def build_dpr(args: Namespace) -> int:
    """Makes each file that is not up to date, from DPR's. The examples are first reduced to what is used of them."""
    statuses = []
    for split, source, rows in (("train", DPR_TRAIN, 58_880), ("dev", DPR_DEV, COUNTS["dev"])):
        examples = file_of(source, args)
        within = Namespace(**vars(args) | {"output": args.downloads})
        reduced = args.downloads / f"examples.{split}.jsonl"
        made = make_file(
            "nq examples",
            within,
            reduced.name,
            {"examples": examples},
            lambda notes, path=examples: map(json.dumps, read_array(path)),
            rows,
        )
        statuses += [made] if made else make_split(args, split, reduced)
    questions, passages = file_of(DPR_TEST, args), file_of(DPR_PASSAGES, args)
    for name, column in (("queries.test.tsv", 0), ("answers.test.tsv", 1)):
        statuses.append(
            make_file(
                "nq test",
                args,
                name,
                {"questions": questions},
                lambda notes, column=column: (row[column] for row in question_lines(questions)),
                COUNTS["test"],
            )
        )
    statuses.append(
        make_file(
            "nq collection",
            args,
            "collection.tsv",
            {"passages": passages},
            lambda notes: passage_lines(passages),
            PASSAGES,
            titles="yes",
            source=args.source,
        )
    )
    return max(statuses)


def make_split(args: Namespace, split: str, reduced: Path) -> list[int]:
    """Makes a split's queries, answers and judgements and returns the exit statuses."""

    def make(name: str, lines_of, rows: int | None) -> int:
        return make_file(
            f"nq {split}",
            args,
            name,
            {"examples": reduced},
            lambda notes: (
                line
                for example in used_examples(reduced, split, notes)
                for line in lines_of(example)
            ),
            rows,
        )

    statuses = [
        make(
            f"queries.{split}.tsv",
            lambda example: [f"{example.query_id}\t{example.text}"],
            COUNTS[split],
        ),
        make(
            f"answers.{split}.tsv",
            lambda example: ["\t".join((example.query_id, *example.answers))],
            COUNTS[split],
        ),
        make(
            f"qrels.{split}.tsv",
            lambda example: [
                f"{example.query_id}\t0\t{passage_id}\t1" for passage_id in example.positive_ids[:1]
            ],
            COUNTS[split],
        ),
    ]
    if split == "train":
        statuses.append(make("bm25.train.run", bm25_lines, None))
    if split == "train" and any(
        example.positive_ids[1:] for example in used_examples(reduced, split, Counter())
    ):
        statuses.append(
            make(
                "qrels.train.addition.tsv",
                lambda example: [
                    f"{example.query_id}\t0\t{passage_id}\t1"
                    for passage_id in example.positive_ids[1:]
                ],
                None,
            )
        )
    return statuses


def bm25_lines(example: Example) -> Iterator[str]:
    """Yields the lines of a run with an example's hard negatives."""
    ids = [
        passage_id for passage_id in example.negative_ids if passage_id not in example.positive_ids
    ]
    return run_lines(
        ScoredPassage(example.query_id, passage_id, rank, 1 / rank)
        for rank, passage_id in enumerate(ids, 1)
    )


def read_array(path: Path) -> Iterator[dict]:
    """Yields what is used of each object in a JSON array, holding one at a time."""
    decoder, number = json.JSONDecoder(), 1
    with open_bytes(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8")
        text = file.read(BLOCK).lstrip()
        if not text.startswith("["):
            raise DataError(f"{path}: expected a JSON array, got {text[:20]!r}")
        text = text[1:]
        while not (text := text.lstrip(" \r\n\t,")).startswith("]"):
            try:
                example, end = decoder.raw_decode(text)
            except json.JSONDecodeError as error:
                more = file.read(BLOCK)
                if not more or len(text) > LONGEST:
                    raise DataError(
                        f"{path}: expected JSON, got {error.msg} in example {number}"
                    ) from None
                text += more
                continue
            except (RecursionError, ValueError) as error:
                endless = "brackets" if isinstance(error, RecursionError) else "digits"
                raise DataError(
                    f"{path}: expected an object, got {endless} without end in example {number}"
                ) from None
            yield _reduced(example, f"{path}: example {number}")
            text, number = text[end:], number + 1


def _reduced(example: dict, place: str) -> dict:
    try:
        ids = {
            key: [
                str(passage["passage_id" if "passage_id" in passage else "psg_id"])
                for passage in example[key]
            ]
            for key in ("positive_ctxs", "hard_negative_ctxs")
        }
        if not isinstance(example["question"], str):
            raise DataError(
                f"{place}: expected a text as question, got {example['question']!r:.60}"
            )
        return {"question": example["question"], "answers": example["answers"], **ids}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{place}: expected question, answers, positive_ctxs and hard_negative_ctxs, got none of "
            f"{error}"
        ) from None


def used_examples(reduced: Path, split: str, notes: Counter) -> Iterator[Example]:
    """Yields the examples that the paper uses: of the training ones those with hard negatives."""
    with reduced.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields, query_id = json.loads(line), f"{split}-{number}"
            place = f"{reduced}:{number}"
            positive_ids, negative_ids = (
                list(
                    dict.fromkeys(
                        identifier(passage_id, place, "passage_id") for passage_id in fields[kind]
                    )
                )
                for kind in ("positive_ctxs", "hard_negative_ctxs")
            )
            if not positive_ids:
                notes["examples without a positive left out"] += 1
            elif split == "train" and not negative_ids:
                notes["examples without hard negatives left out"] += 1
            else:
                yield Example(
                    query_id,
                    one_line(fields["question"], place),
                    cleaned(fields["answers"], place),
                    positive_ids,
                    negative_ids,
                )


def cleaned(answers: list[str], place: str) -> list[str]:
    """Returns the different answers, each on one line. Raises DataError where there is none."""
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise DataError(f"{place}: expected a list of answers, got {answers!r:.60}")
    kept = list(
        dict.fromkeys(one_line(answer, place).strip() for answer in answers if tokens(answer))
    )
    if not kept:
        raise DataError(f"{place}: expected at least one answer, got none")
    return kept


def csv_rows(path: Path, width: int) -> Iterator[tuple[str, list[str]]]:
    """Yields (`file:line`, columns) of a CSV with tabs. Raises DataError where it is none."""
    with open_bytes(path) as raw:
        rows = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""), delimiter="\t")
        try:
            for columns in rows:
                if len(columns) != width:
                    raise DataError(
                        f"{path}:{rows.line_num}: expected {width} columns, got {len(columns)}"
                    )
                yield f"{path}:{rows.line_num}", columns
        except csv.Error as error:
            raise DataError(
                f"{path}:{rows.line_num}: expected a CSV with tabs, got {error}"
            ) from None


def question_lines(questions: Path) -> Iterator[tuple[str, str]]:
    """Yields (line of queries.test.tsv, line of answers.test.tsv)."""
    for number, (place, (text, written)) in enumerate(csv_rows(questions, 2), 1):
        try:
            answers = ast.literal_eval(written)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            answers = written
        yield (
            f"test-{number}\t{one_line(text, place)}",
            "\t".join((f"test-{number}", *cleaned(answers, place))),
        )


def passage_lines(passages: Path) -> Iterator[str]:
    """Yields passage_id, title, text of DPR's passages, below their header line."""
    ids, rows = Ids(passages, first_line=2), csv_rows(passages, 3)
    place, header = next(rows, (f"{passages}:1", []))
    if header != ["id", "text", "title"]:
        raise DataError(f"{place}: expected the header id, text, title, got {header}")
    for place, (passage_id, text, title) in rows:
        ids.add(passage_id)
        title = one_line(title, place) if title else ""
        yield f"{identifier(passage_id, place, 'passage_id')}\t{title}\t{one_line(text, place)}"
    ids.refuse_repeated()


def build_released(args: Namespace) -> int:
    """Makes each file that is not up to date, from the released corpus; dev and judgements where it has them."""
    folder = folder_of(RELEASED_NQ, args, "para.txt")
    statuses = []
    for split, rows in COUNTS.items():
        queries, answers, qrels = (
            folder / name
            for name in (f"{split}.query.txt", f"{split}.answers.txt", f"qrels.{split}.tsv")
        )
        if queries.is_file() or split != "dev":
            statuses.append(
                make_file(
                    "nq queries",
                    args,
                    f"queries.{split}.tsv",
                    {"queries": queries},
                    lambda notes, path=queries: released_lines(path, several=False),
                    rows,
                )
            )
        if answers.is_file() or split == "test":
            statuses.append(
                make_file(
                    "nq answers",
                    args,
                    f"answers.{split}.tsv",
                    {"answers": answers},
                    lambda notes, path=answers: released_lines(path, several=True),
                    rows,
                )
            )
        if qrels.is_file():
            statuses.append(make_qrels(args, qrels.name, qrels, None))
    texts, titles = folder / "para.txt", folder / "para.title.txt"
    statuses.append(
        make_file(
            "nq collection",
            args,
            "collection.tsv",
            {"texts": texts, "passage_titles": titles},
            lambda notes: collection_lines(texts, titles, notes),
            PASSAGES,
            titles="yes",
            source=args.source,
        )
    )
    return max(statuses)


def released_lines(path: Path, several: bool) -> Iterator[str]:
    """Yields the rows of query_id and text, or of query_id and answers."""
    ids = Ids(path)
    for place, (query_id, *texts) in read_foreign(path, None if several else (2,)):
        ids.add(query_id)
        texts = cleaned(texts, place) if several else [one_line(texts[0], place)]
        yield "\t".join((identifier(query_id, place, "query_id"), *texts))
    ids.refuse_repeated()


if __name__ == "__main__":
    sys.exit(main())
