"""The files between the verbs: their records, and the only code that reads and writes them.

All are UTF-8, LF after each line, tab-separated, without a header; ids are strings.

    collection.tsv      passage_id, title (may be empty), text
    queries.SPLIT.tsv   query_id, text
    qrels.SPLIT.tsv     query_id, 0, passage_id, relevance (TREC), or the released code's query_id, passage_id
    answers.SPLIT.tsv   query_id, answer, answer ...
    *.run               see runs.py
    examples.dual.tsv   query_id, positive passage_id, negative passage_id ...
    examples.cross.tsv  query_id, passage_id, label (1 relevant, 0 not)
    *.measures.tsv      measure, value

A reader's Check says what happens at a fault; the default raises DataError, `file:line: expected ..., got ...`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.answers import tokens
from rocketqa.files.errors import DataError
from rocketqa.files.rows import FIRST_FAULT, Check, Row, read_rows, same_text

PASSAGE_WIDTH = (3,)  # columns


class Query(NamedTuple):
    query_id: str
    text: str


class Passage(NamedTuple):
    passage_id: str
    title: str
    text: str


class Qrel(NamedTuple):
    query_id: str
    passage_id: str
    relevance: int


class Answers(NamedTuple):
    query_id: str
    answers: tuple[str, ...]


class TrainingExample(NamedTuple):
    """A query with one positive and its own hard negatives (dual encoder)."""

    query_id: str
    positive_id: str
    negative_ids: tuple[str, ...]


class LabelledPair(NamedTuple):
    """A query, a passage and whether it is relevant (cross encoder)."""

    query_id: str
    passage_id: str
    label: int


def iterate_collection(
    path: Path, check: Check = FIRST_FAULT, seen: set[str] | None = None
) -> Iterator[Passage]:
    """Yields the passages in file order. A malformed row, an empty text and a repeated id are faults.

    seen: gets the ids.
    """
    seen = set() if seen is None else seen
    for row in read_rows(path, PASSAGE_WIDTH, check):
        passage = passage_of(row)
        row.once(passage.passage_id, seen)
        yield passage


def passage_of(row: Row) -> Passage:
    """Returns the passage of a row, checked."""
    passage_id, title, text = row.columns
    return Passage(row.passage_id(passage_id), title, row.text(text))


def read_collection(path: Path) -> dict[str, Passage]:
    """Returns passage_id -> Passage, in file order."""
    return {passage.passage_id: passage for passage in iterate_collection(path)}


def read_queries(*paths: Path, check: Check = FIRST_FAULT) -> dict[str, Query]:
    """Returns query_id -> Query over all the files, in file order. Ids are unique over all of them."""
    queries: dict[str, Query] = {}
    seen: set[str] = set()
    for path in paths:
        for row in read_rows(path, (2,), check):
            query = Query(row.query_id(row.columns[0]), row.text(row.columns[1]))
            row.once(query.query_id, seen)
            _check_is_not_trained_on(row, query)
            queries[query.query_id] = query
    return queries


def _check_is_not_trained_on(row: Row, query: Query) -> None:
    if query.query_id in row.check.training_ids:
        row.fault(
            "training queries",
            "a query that is not for training",
            f"the id {query.query_id!r} of one",
        )
    elif (text := same_text(query.text)) in row.check.training and text:
        row.fault(
            "training queries",
            "a query that is not for training",
            f"the text of {row.check.training[text]!r}, which is",
        )


def iterate_qrels(path: Path, check: Check = FIRST_FAULT) -> Iterator[tuple[Row, Qrel]]:
    """Yields (row, judgement) of a four-column (TREC) or two-column (released code) file; a mixture is a fault."""
    for row in read_rows(path, (4, 2), check):
        passage_id, relevance = row.columns[-2:] if len(row.columns) == 4 else (row.columns[1], "1")
        yield (
            row,
            Qrel(
                row.query_id(row.columns[0]),
                row.passage_id(passage_id),
                row.whole(relevance, "relevance"),
            ),
        )


def read_qrels(path: Path, check: Check = FIRST_FAULT) -> list[Qrel]:
    """Returns the judgements in file order, each pair of ids once."""
    seen: set[tuple[str, str]] = set()
    qrels = []
    for row, qrel in iterate_qrels(path, check):
        row.once(qrel[:2], seen)
        qrels.append(qrel)
    return qrels


def read_positives(*paths: Path, check: Check = FIRST_FAULT) -> dict[str, list[str]]:
    """Returns query_id -> ids of its relevant passages (relevance >= 1), in file order."""
    positives: dict[str, list[str]] = {}
    for path in paths:
        for query_id, passage_id, relevance in read_qrels(path, check):
            if relevance >= 1 and passage_id not in positives.setdefault(query_id, []):
                positives[query_id].append(passage_id)
    return {query_id: known for query_id, known in positives.items() if known}


def read_answers(path: Path, check: Check = FIRST_FAULT) -> dict[str, tuple[str, ...]]:
    """Returns query_id -> its answers, in file order. An answer without a token (any passage holds it) is a fault."""
    answers: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for row in read_rows(path, None, check, at_least=2):
        query_id, *own = row.columns
        row.once(row.query_id(query_id), seen)
        for answer in own:
            if not tokens(answer):
                row.fault("empty text", "an answer with a visible character", repr(answer))
        answers[query_id] = tuple(own)
    return answers


def read_examples(*paths: Path, check: Check = FIRST_FAULT) -> list[TrainingExample]:
    """Returns the rows of examples.dual.tsv files; every row has the same number of negatives."""
    examples: list[TrainingExample] = []
    sides: dict[tuple[str, str], bool] = {}
    for path in paths:
        for row in read_rows(path, None, check, at_least=2):
            query_id, positive_id, *negative_ids = row.columns
            example = TrainingExample(
                row.query_id(query_id),
                row.passage_id(positive_id),
                tuple(map(row.passage_id, negative_ids)),
            )
            _check_side(row, query_id, positive_id, True, sides)
            for negative_id in negative_ids:
                _check_side(row, query_id, negative_id, False, sides)
            wanted = len(examples[0].negative_ids) if examples else len(negative_ids)
            if len(negative_ids) != wanted:
                row.fault(
                    "columns", f"{wanted} negatives as in the first row", str(len(negative_ids))
                )
            if not row.silent:
                examples.append(example)
    return examples


def _check_side(
    row: Row, query_id: str, passage_id: str, positive: bool, sides: dict[tuple[str, str], bool]
) -> None:
    """Reports a passage that is positive and negative for one query, by the rows so far or by known positives."""
    judged = not positive and passage_id in row.check.positives.get(query_id, ())
    if (
        passage_id
        and not row.silent
        and (sides.setdefault((query_id, passage_id), positive) != positive or judged)
    ):
        row.fault(
            "positive and negative",
            f"a passage positive or negative for query {query_id}",
            f"{passage_id!r} as both",
        )


def read_pairs(*paths: Path, check: Check = FIRST_FAULT) -> list[LabelledPair]:
    """Returns the rows of examples.cross.tsv files."""
    pairs = []
    sides: dict[tuple[str, str], bool] = {}
    for path in paths:
        for row in read_rows(path, (3,), check):
            query_id, passage_id, label = (
                row.query_id(row.columns[0]),
                row.passage_id(row.columns[1]),
                row.columns[2],
            )
            if label in ("0", "1"):
                _check_side(row, query_id, passage_id, label == "1", sides)
            else:
                row.fault("labels", "label 0 or 1", repr(label))
            pairs.append(LabelledPair(query_id, passage_id, int(label == "1")))
    return pairs


def read_measures(path: Path) -> dict[str, float]:
    """Returns measure -> value."""
    return {
        row.columns[0]: row.real(row.columns[1], row.columns[0]) for row in read_rows(path, (2,))
    }


def line_of(record: NamedTuple) -> str:
    """Returns the line of a Query, Passage, Qrel, Answers, TrainingExample or LabelledPair.

    Raises DataError on a tab or an end of line in a field, which would make other columns of it.
    """
    if isinstance(record, Qrel):
        record = (record.query_id, "0", record.passage_id, record.relevance)
    fields = [
        field for value in record for field in (value if isinstance(value, tuple) else (value,))
    ]
    for field in map(str, fields):
        if {"\t", "\n", "\r"}.intersection(field):
            raise DataError(
                f"{fields[0]}: expected fields without tabs and ends of lines, got {field!r}"
            )
    return "\t".join(map(str, fields))


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes the lines, LF after each, and returns how many."""
    count = 0
    with Path(path).open("w", encoding="utf-8", newline="\n") as output:
        for line in lines:
            output.write(line + "\n")
            count += 1
    return count
