"""The official files of SQuAD, read: articles of paragraphs, with questions and their answers.

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [
        {"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": ...}]}]}]}]}

An article becomes a document: its paragraphs, with a blank line between two of them. A question
becomes a query, and the place of its first answer a span of the document. Questions without an
answer (version 2.0 has some), without a text, or whose answer does not stand where the file says
are left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cutting import Document, Window
from document_files import document_id_of
from document_labels import Span
from sources import id_field, one_line

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object

BETWEEN_PARAGRAPHS = "\n\n"
UNANSWERED = "questions without an answer left out"
MISPLACED = "questions whose answer is not at its place left out"


class Question(NamedTuple):
    """A query, and where its first answer stands in the document."""

    query_id: str
    text: str
    span: Span


class Article(NamedTuple):
    """A document, where its paragraphs are, and the questions about it."""

    document: Document
    paragraphs: list[Window]
    questions: list[Question]


def read_articles(paths: Iterable[Path], notes: Counter[str]) -> list[Article]:
    """Returns the articles of all files. Raises DataError if one, or a question, is repeated."""
    articles = []
    seen: set[str] = set()
    for path in paths:
        top = read_json_object(path)
        for record in objects(top, "data"):
            article = article_of(record, notes)
            refuse_seen("article", article.document.document_id, seen, path)
            for question in article.questions:
                refuse_seen("question", question.query_id, seen, path)
            articles.append(article)
    return articles


def refuse_seen(kind: str, value: str, seen: set[str], path: Path) -> None:
    """Notes an id. Raises DataError if it was noted before."""
    key = f"{kind} {value}"
    if key in seen:
        raise DataError(f"{path}: expected each {kind} once, got {value!r} again")
    seen.add(key)


def objects(record: JsonObject, name: str) -> Iterator[JsonObject]:
    """Yields the objects in a list. Raises DataError for anything else."""
    for number, fields in enumerate(record.require(name, list)):
        place = f"{record.prefix}{name}[{number}]"
        if not isinstance(fields, dict):
            raise record.fault(f"an object for {place}", repr(fields)[:40])
        yield JsonObject(fields, record.place, f"{place}.")


def article_of(record: JsonObject, notes: Counter[str]) -> Article:
    """Returns an article. Raises DataError for a field that is missing or of another kind."""
    title = " ".join(record.require("title", str).replace("_", " ").split())
    document_id = document_id_of(title)
    contexts: list[str] = []
    paragraphs: list[Window] = []
    questions: list[Question] = []
    begin = 0
    for paragraph in objects(record, "paragraphs"):
        context = paragraph.require("context", str)
        contexts.append(context)
        paragraphs.append(Window(begin, begin + len(context)))
        for asked in objects(paragraph, "qas"):
            questions += question_of(asked, context, begin, document_id, notes)
        begin += len(context) + len(BETWEEN_PARAGRAPHS)
    text = BETWEEN_PARAGRAPHS.join(contexts)
    return Article(Document(document_id, title, text), paragraphs, questions)


def question_of(
    asked: JsonObject, context: str, begin: int, document_id: str, notes: Counter[str]
) -> list[Question]:
    """Returns the question about a paragraph that begins at `begin`; nothing if it is left out."""
    query_id = id_field(asked, "id")
    text = " ".join(asked.require("question", str).split())
    answer = next(objects(asked, "answers"), None)
    if answer is None or not text:
        notes[UNANSWERED] += 1
        return []
    words = answer.require("text", str)
    start = answer.require("answer_start", int)
    if start < 0 or not words.strip() or not context.startswith(words, start):
        notes[MISPLACED] += 1
        return []
    first = begin + start
    place = f"{asked.place}: {query_id}"
    span = Span(0, place, query_id, document_id, first, first + len(words))
    return [Question(query_id, one_line(text, place), span)]
