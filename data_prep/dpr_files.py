"""Reads DPR's files of Natural Questions: a CSV of passages, JSON examples, a CSV of questions.

    psgs_w100.tsv            id, text, title: a CSV with tabs and quotes
    biencoder-nq-SPLIT.json  an array of objects with question, answers, positive_ctxs and
                             hard_negative_ctxs
    nq-test.qa.csv           a question and a Python list of answers, parsed as a literal, never run

DPR's words are translated here: a question becomes a query, a context (ctx) becomes a passage.
"""

import ast
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sources import IdColumn, identifier, one_line, open_bytes

from rocketqa.files.answers import tokens
from rocketqa.files.errors import DataError

BLOCK = 1 << 20  # characters read at once
LONGEST_EXAMPLE = 1 << 26  # characters
POSITIVES, NEGATIVES = "positive_ctxs", "hard_negative_ctxs"


class Example(NamedTuple):
    """A training or dev example with the ids of its passages."""

    query_id: str
    text: str
    answers: list[str]
    positive_ids: list[str]  # DPR trains on the first one
    negative_ids: list[str]


def read_array(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the used fields of each object in a JSON array, with one object in memory at a time.

    Raises DataError if the file is not such an array.
    """
    decoder = json.JSONDecoder()
    number = 1
    with open_bytes(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8")
        text = file.read(BLOCK).lstrip()
        if not text.startswith("["):
            raise DataError(f"{path}: expected a JSON array, got {text[:20]!r}")
        text = _next_value(text[1:])
        while not text.startswith("]"):
            try:
                example, end = decoder.raw_decode(text)
            except json.JSONDecodeError as error:
                block = file.read(BLOCK)
                if not block or len(text) > LONGEST_EXAMPLE:
                    message = f"expected JSON, got {error.msg} in example {number}"
                    raise DataError(f"{path}: {message}") from None
                text = _next_value(text + block)
                continue
            except (RecursionError, ValueError) as error:
                endless = "brackets" if isinstance(error, RecursionError) else "digits"
                message = f"expected an object, got {endless} without end in example {number}"
                raise DataError(f"{path}: {message}") from None
            yield used_fields(example, f"{path}: example {number}")
            text = _next_value(text[end:])
            number += 1


def _next_value(text: str) -> str:
    """Returns the rest of an array's text without the blanks and commas before its next value."""
    return text.lstrip(" \r\n\t,")


def used_fields(example: dict[str, Any], place: str) -> dict[str, Any]:
    """Returns question and answers of an example, and the ids of its passages.

    Raises DataError if one of the fields is missing or has another type.
    """
    try:
        positive_ids = [_passage_id(passage) for passage in example[POSITIVES]]
        negative_ids = [_passage_id(passage) for passage in example[NEGATIVES]]
        question = example["question"]
        if not isinstance(question, str):
            raise DataError(f"{place}: expected a text as question, got {question!r:.60}")
        return {
            "question": question,
            "answers": example["answers"],
            POSITIVES: positive_ids,
            NEGATIVES: negative_ids,
        }
    except KeyError as error:
        got = f"an example without {error}"
    except (TypeError, AttributeError) as error:
        got = f"another type: {error}"
    expected = f"question, answers, {POSITIVES} and {NEGATIVES}"
    raise DataError(f"{place}: expected {expected}, got {got}")


def _passage_id(passage: dict[str, Any]) -> str:
    name = "passage_id" if "passage_id" in passage else "psg_id"
    return str(passage[name])


def used_examples(reduced: Path, split: str, notes: Counter[str]) -> Iterator[Example]:
    """Yields the examples that the paper uses; of the training split those with hard negatives.

    reduced: a file with the JSON of `used_fields` in each line.
    """
    with reduced.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{reduced}:{number}"
            fields = json.loads(line)
            positive_ids = _different_ids(fields[POSITIVES], place)
            negative_ids = _different_ids(fields[NEGATIVES], place)
            if not positive_ids:
                notes["examples without a positive left out"] += 1
            elif split == "train" and not negative_ids:
                notes["examples without hard negatives left out"] += 1
            else:
                query_id = f"{split}-{number}"
                text = one_line(fields["question"], place)
                answers = different_answers(fields["answers"], place)
                yield Example(query_id, text, answers, positive_ids, negative_ids)


def _different_ids(passage_ids: list[str], place: str) -> list[str]:
    """Returns the ids in their order, each once. Raises DataError for one with spaces."""
    checked = [identifier(passage_id, place, "passage_id") for passage_id in passage_ids]
    return list(dict.fromkeys(checked))


def different_answers(answers: list[str], place: str) -> list[str]:
    """Returns the answers in their order, each once and on one line.

    Answers without a token are left out. Raises DataError if there is none, or no list of texts.
    """
    is_list = isinstance(answers, list)
    if not is_list or not all(isinstance(answer, str) for answer in answers):
        raise DataError(f"{place}: expected a list of answers, got {answers!r:.60}")
    visible = [one_line(answer, place).strip() for answer in answers if tokens(answer)]
    if not visible:
        raise DataError(f"{place}: expected at least one answer, got none")
    return list(dict.fromkeys(visible))


def csv_rows(path: Path, width: int) -> Iterator[tuple[str, list[str]]]:
    """Yields (`file:line`, columns) of a CSV with tabs. Raises DataError if it is not one."""
    with open_bytes(path) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        rows = csv.reader(text, delimiter="\t")
        try:
            for columns in rows:
                place = f"{path}:{rows.line_num}"
                if len(columns) != width:
                    raise DataError(f"{place}: expected {width} columns, got {len(columns)}")
                yield place, columns
        except csv.Error as error:
            place = f"{path}:{rows.line_num}"
            raise DataError(f"{place}: expected a CSV with tabs, got {error}") from None


def read_test_split(questions: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yields (query_id, text, answers) of DPR's test questions.

    The answers are a Python literal, which is parsed and never evaluated.
    """
    for number, (place, (text, literal)) in enumerate(csv_rows(questions, 2), 1):
        try:
            answers = ast.literal_eval(literal)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            answers = literal  # refused below: it is not a list
        query_text = one_line(text, place)
        yield f"test-{number}", query_text, different_answers(answers, place)


def passage_lines(passages: Path) -> Iterator[str]:
    """Yields rows of passage_id, title, text from DPR's passages, whose first line is a header."""
    ids = IdColumn(passages, first_line=2)
    rows = csv_rows(passages, 3)
    no_header: tuple[str, list[str]] = (f"{passages}:1", [])
    place, header = next(rows, no_header)
    if header != ["id", "text", "title"]:
        raise DataError(f"{place}: expected the header id, text, title, got {header}")
    for place, (passage_id, text, title) in rows:
        ids.add(passage_id)
        title_line = one_line(title, place) if title else ""
        checked_id = identifier(passage_id, place, "passage_id")
        yield f"{checked_id}\t{title_line}\t{one_line(text, place)}"
    ids.refuse_repeated()
