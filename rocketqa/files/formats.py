"""The files between the verbs: their records, and the only code that reads and writes them.

All are UTF-8 and tab-separated, without a header, with LF after each line. Ids are strings. Runs
and qrels are also read with other blanks between their columns, and BEIR's qrels with CRLF.

    collection.tsv      passage_id, title (may be empty), text
    queries.SPLIT.tsv   query_id, text
    qrels.SPLIT.tsv     query_id, 0, passage_id, relevance (TREC);
                        or query_id, passage_id (the released code)
                        or query_id, passage_id, relevance below BEIR_HEADER (BEIR)
    answers.SPLIT.tsv   query_id, answer, answer ...
    *.run               see runs.py
    examples.*.tsv      see examples.py
    *.measures.tsv      measure, value

The Check of a reader holds its fault handler. The default handler raises DataError at the first
fault: `file:line: expected ..., got ...`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.columns import at_tabs_or_blanks
from rocketqa.files.errors import DataError, Fault
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.rows import (
    RAISE_FAULTS,
    Check,
    Row,
    normalize_text,
    read_rows,
    require_file,
)

COLLECTION_COLUMNS = (3,)  # the allowed numbers of columns
QRELS_COLUMNS = (4, 2)
BEIR_QRELS_COLUMNS = (3,)
BEIR_HEADER = [b"query-id", b"corpus-id", b"score"]


class Query(NamedTuple):
    """A query and its text."""

    query_id: str
    text: str


class Passage(NamedTuple):
    """A passage of the collection."""

    passage_id: str
    title: str
    text: str


class Qrel(NamedTuple):
    """A judgement of a passage for a query; it is relevant from relevance 1 on."""

    query_id: str
    passage_id: str
    relevance: int


class Answers(NamedTuple):
    """The answers of a query."""

    query_id: str
    answers: tuple[str, ...]


Record = Query | Passage | Qrel | Answers | TrainingExample | LabelledPair


def iterate_collection(
    path: Path, check: Check = RAISE_FAULTS, seen: set[str] | None = None
) -> Iterator[Passage]:
    """Yields the passages in file order. An empty text and a repeated id are faults.

    seen: a set that receives the ids.
    """
    seen = set() if seen is None else seen
    for row in read_rows(path, COLLECTION_COLUMNS, check):
        passage = passage_from_row(row)
        row.check_unique(passage.passage_id, seen)
        yield passage


def passage_from_row(row: Row) -> Passage:
    """Returns the passage of a row, with its id and text checked."""
    passage_id, title, text = row.columns
    return Passage(row.checked_passage_id(passage_id), title, row.checked_text(text))


def read_collection(path: Path) -> dict[str, Passage]:
    """Returns passage_id -> Passage, in file order."""
    return {passage.passage_id: passage for passage in iterate_collection(path)}


def read_queries(*paths: Path, check: Check = RAISE_FAULTS) -> dict[str, Query]:
    """Returns query_id -> Query, in file order. Ids are unique over all the files."""
    queries: dict[str, Query] = {}
    seen: set[str] = set()
    for path in paths:
        for row in read_rows(path, (2,), check):
            query_id, text = row.columns
            query = Query(row.checked_query_id(query_id), row.checked_text(text))
            row.check_unique(query.query_id, seen)
            _check_is_not_trained_on(row, query)
            queries[query.query_id] = query
    return queries


def _check_is_not_trained_on(row: Row, query: Query) -> None:
    """Reports a query that has the id or the text of a training query."""
    expected = "a query that is not for training"
    if query.query_id in row.check.training_query_ids:
        row.report("training queries", expected, f"the id {query.query_id!r} of one")
        return
    text = normalize_text(query.text)
    if text and text in row.check.training_texts:
        training_id = row.check.training_texts[text]
        row.report("training queries", expected, f"the text of {training_id!r}, which is")


def iterate_qrels(path: Path, check: Check = RAISE_FAULTS) -> Iterator[tuple[Row, Qrel]]:
    """Yields (row, judgement) of a file of TREC's form, BEIR's, or that of the released code.

    A file with rows of two forms is a fault. An unreadable relevance is 0 after the fault.
    """
    if _has_beir_header(path):
        rows = _beir_rows(path, check)
    else:
        rows = read_rows(path, QRELS_COLUMNS, check, split=at_tabs_or_blanks(QRELS_COLUMNS))
    for row in rows:
        yield row, _qrel(row)


def iterate_qrels_at_tabs(path: Path, check: Check) -> Iterator[tuple[Row, Qrel]]:
    """Yields what `iterate_qrels` does of a file without a header, split at its tabs alone."""
    for row in read_rows(path, QRELS_COLUMNS, check):
        yield row, _qrel(row)


def _has_beir_header(path: Path) -> bool:
    """Returns whether the first line of a file is BEIR_HEADER."""
    require_file(path)
    with Path(path).open("rb") as lines:
        return lines.readline(100).split() == BEIR_HEADER


def _beir_rows(path: Path, check: Check) -> Iterator[Row]:
    """Yields the rows below the header. BEIR's lines end in CRLF, so that is no fault."""

    def on_fault(fault: Fault) -> None:
        if fault.kind != "carriage returns":
            check.on_fault(fault)

    split = at_tabs_or_blanks(BEIR_QRELS_COLUMNS)
    rows = read_rows(path, BEIR_QRELS_COLUMNS, check._replace(on_fault=on_fault), split=split)
    next(rows)
    return rows


def _qrel(row: Row) -> Qrel:
    """Returns the judgement of a row."""
    query_id, *between, last = row.columns
    if not between:  # the released code names relevant passages alone
        passage_id, relevance = last, "1"
    else:
        passage_id, relevance = between[-1], last
    return Qrel(
        row.checked_query_id(query_id),
        row.checked_passage_id(passage_id),
        row.checked_integer(relevance, "relevance"),
    )


def read_qrels(path: Path, check: Check = RAISE_FAULTS) -> list[Qrel]:
    """Returns the judgements in file order. A repeated pair of ids is a fault."""
    seen: set[tuple[str, str]] = set()
    qrels = []
    for row, qrel in iterate_qrels(path, check):
        row.check_unique((qrel.query_id, qrel.passage_id), seen)
        qrels.append(qrel)
    return qrels


def read_positives(*paths: Path, check: Check = RAISE_FAULTS) -> dict[str, list[str]]:
    """Returns query_id -> ids of its relevant passages (relevance >= 1), in file order."""
    positives: dict[str, list[str]] = {}
    for path in paths:
        for query_id, passage_id, relevance in read_qrels(path, check):
            if relevance < 1:
                continue
            passage_ids = positives.setdefault(query_id, [])
            if passage_id not in passage_ids:
                passage_ids.append(passage_id)
    return positives


def read_answers(path: Path, check: Check = RAISE_FAULTS) -> dict[str, tuple[str, ...]]:
    """Returns query_id -> its answers, in file order.

    An answer without a token is a fault, because it would match every passage.
    """
    from rocketqa.files.answers import tokens  # it loads `regex`, which few verbs need

    answers: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for row in read_rows(path, None, check, min_columns=2):
        query_id, *texts = row.columns
        row.check_unique(row.checked_query_id(query_id), seen)
        for text in texts:
            if not tokens(text):
                row.report("empty text", "an answer with a visible character", repr(text))
        answers[query_id] = tuple(texts)
    return answers


def read_measures(path: Path) -> dict[str, float]:
    """Returns measure -> value."""
    values = {}
    for row in read_rows(path, (2,)):
        measure, value = row.columns
        values[measure] = row.checked_number(value, measure)
    return values


def line_of(record: Record) -> str:
    """Returns the line of a record, without its end.

    Raises DataError on a tab or an end of line in a field: it would make other columns of it.
    """
    fields = _fields_of(record)
    for field in fields:
        if {"\t", "\n", "\r"}.intersection(field):
            expected = "fields without tabs and ends of lines"
            raise DataError(f"{fields[0]}: expected {expected}, got {field!r}")
    return "\t".join(fields)


def _fields_of(record: Record) -> list[str]:
    """Returns the columns of a record. Answers and negatives take a column each."""
    if isinstance(record, Qrel):
        return [record.query_id, "0", record.passage_id, str(record.relevance)]
    fields: list[str] = []
    for value in record:
        if isinstance(value, tuple):
            fields.extend(value)
        else:
            fields.append(str(value))
    return fields


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes the lines, with LF after each, and returns how many there are."""
    count = 0
    with Path(path).open("w", encoding="utf-8", newline="\n") as output:
        for line in lines:
            output.write(line + "\n")
            count += 1
    return count
