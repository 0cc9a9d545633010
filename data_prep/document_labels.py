"""Labels of documents, carried along to the passages that the documents are cut into.

A span is where an answer stands in a document. Of the passages that hold the whole of it, one is
labelled, drawn by a seed; all of them are the truth. The relevance of a judged document becomes
that of each of its passages.

The labels are in memory, the documents are not.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from cutting import Cutting, Document, Window, holding, labelled, passage_id_of, windows_of
from document_files import document_id_of
from sources import identifier, read_foreign

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Qrel, iterate_qrels, line_of
from rocketqa.files.rows import parse_integer

UNKNOWN_DOCUMENTS = "labels of documents that are not there left out"
CUT_SPANS = "spans that no passage holds whole left out"
REPEATED_LABELS = "labels of passages that the query has already left out"


class Span(NamedTuple):
    """Characters of a document, begin..end from 0, that answer a query; number: its line."""

    number: int
    place: str
    query_id: str
    document_id: str
    begin: int
    end: int


class Labels(NamedTuple):
    """The lines of qrels and truth in the order of the labels, and what was left out."""

    qrels: list[str]
    truth: list[str]
    notes: Counter[str]


class NumberedQrel(NamedTuple):
    """A judgement of a passage, and the line of the label that it comes from."""

    number: int
    qrel: Qrel


def read_spans(path: Path) -> dict[str, list[Span]]:
    """Returns document_id -> spans, of rows of query_id, document_id, begin and end."""
    spans: dict[str, list[Span]] = {}
    for number, (place, columns) in enumerate(read_foreign(path, (4,)), 1):
        query_id, document, begin_text, end_text = columns
        begin = parse_integer(begin_text)
        end = parse_integer(end_text)
        if begin is None or end is None or not 0 <= begin < end:
            got = f"{begin_text} and {end_text}"
            raise DataError(f"{place}: expected whole numbers, 0 <= begin < end, got {got}")
        document_id = document_id_of(document)
        identifier(query_id, place, "query_id")
        span = Span(number, place, query_id, document_id, begin, end)
        spans.setdefault(document_id, []).append(span)
    return spans


def labels_of_spans(
    documents: Iterable[Document], spans_file: Path, cutting: Cutting, seed: int
) -> Labels:
    """Returns the labels that come from a file of spans. Raises as `labels_of`."""

    def windows(document: Document) -> list[Window]:
        return windows_of(document.text, cutting)

    return labels_of(documents, read_spans(spans_file), windows, seed)


def labels_of(
    documents: Iterable[Document],
    spans_of: dict[str, list[Span]],
    cut: Callable[[Document], list[Window]],
    seed: int,
) -> Labels:
    """Returns the labels that come from spans; `spans_of` is emptied.

    spans_of: document_id -> spans. cut: the windows of a document. Raises DataError if a span is
    not inside of its document, or has nothing but blanks.
    """
    notes: Counter[str] = Counter()
    qrels: list[NumberedQrel] = []
    truth: list[NumberedQrel] = []
    for document in documents:
        spans = spans_of.pop(document.document_id, [])
        windows = cut(document) if spans else []
        for span in spans:
            found = windows_with(span, document, windows)
            truth += [positive(span, window) for window in found]
            if found:
                identity = (span.query_id, span.document_id, span.begin, span.end)
                chosen = labelled(found, seed, *identity)
                qrels.append(positive(span, chosen))
            else:
                notes[CUT_SPANS] += 1
    notes[UNKNOWN_DOCUMENTS] = sum(map(len, spans_of.values()))
    qrel_lines = lines_in_order(qrels, notes)
    truth_lines = lines_in_order(truth, Counter())
    return Labels(qrel_lines, truth_lines, notes)


def windows_with(span: Span, document: Document, windows: list[Window]) -> list[Window]:
    """Returns the windows that hold the whole span but for blanks at its ends.

    Raises DataError if the span is not inside of its document, or has nothing but blanks.
    """
    length = len(document.text)
    content = document.text[span.begin : span.end]
    if span.end > length or not content.strip():
        expected = f"a text within the {length} characters of {span.document_id!r}"
        raise DataError(f"{span.place}: expected {expected}, got {span.begin} to {span.end}")
    begin = span.end - len(content.lstrip())
    end = span.begin + len(content.rstrip())
    return holding(windows, begin, end)


def positive(span: Span, window: Window) -> NumberedQrel:
    """Returns the label of a window that holds a span."""
    passage_id = passage_id_of(span.document_id, window)
    return NumberedQrel(span.number, Qrel(span.query_id, passage_id, 1))


def labels_of_judged(documents: Iterable[Document], qrels_file: Path, cutting: Cutting) -> Labels:
    """Returns the labels that come from judgements of whole documents; they have no truth."""
    judged: dict[str, list[NumberedQrel]] = {}
    for row, qrel in iterate_qrels(qrels_file):
        judgements = judged.setdefault(qrel.passage_id, [])
        judgements.append(NumberedQrel(row.number, qrel))
    notes: Counter[str] = Counter()
    qrels: list[NumberedQrel] = []
    for document in documents:
        judgements = judged.pop(document.document_id, [])
        windows = windows_of(document.text, cutting) if judgements else []
        for number, qrel in judgements:
            for window in windows:
                passage_id = passage_id_of(document.document_id, window)
                qrels.append(NumberedQrel(number, qrel._replace(passage_id=passage_id)))
    notes[UNKNOWN_DOCUMENTS] = sum(map(len, judged.values()))
    return Labels(lines_in_order(qrels, notes), [], notes)


def lines_in_order(qrels: list[NumberedQrel], notes: Counter[str]) -> list[str]:
    """Returns the lines in the order of the labels, each query and passage once."""
    lines = []
    seen: set[tuple[str, str]] = set()
    for _, qrel in sorted(qrels, key=lambda numbered: numbered.number):
        pair = qrel.query_id, qrel.passage_id
        if pair in seen:
            notes[REPEATED_LABELS] += 1
        else:
            seen.add(pair)
            lines.append(line_of(qrel))
    return lines
