"""Documents of others: a folder of text files, or a file of JSON lines.

    {"id": "a1", "title": "may be missing", "text": "..."}    `_id`, as BEIR has it, is an id too

One document is in memory at a time, and eight bytes for each id of JSON lines.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cutting import Document
from sources import IdColumn, id_text, identifier, read_objects, text_field

from rocketqa.files.errors import DataError
from rocketqa.files.rows import require_file
from rocketqa.jobs.progress import bar


class DocumentSource(NamedTuple):
    """Where the documents are; pattern: which files of a folder."""

    path: Path
    pattern: str


def document_id_of(value: str) -> str:
    """Returns an id without blanks: each blank and each % is written as in a URL."""
    characters = []
    for character in value:
        if character.isspace() or character == "%":
            code = character.encode().hex("%").upper()
            character = f"%{code}"
        characters.append(character)
    return "".join(characters)


def documents_of(source: DocumentSource, notes: Counter[str]) -> Iterator[Document]:
    """Yields the documents that have a text, in the order of the file or of the file names."""
    documents = text_files(source) if source.path.is_dir() else json_documents(source.path)
    for document in documents:
        if document.text and not document.text.isspace():
            notes["documents"] += 1
            yield document
        else:
            notes["documents without a text left out"] += 1


def text_files(source: DocumentSource) -> Iterator[Document]:
    """Yields a document of each file. Raises DataError if there is none."""
    try:
        found = list(source.path.rglob(source.pattern))
    except (ValueError, NotImplementedError) as error:  # such as "/*.txt" or "**.txt"
        got = f"{source.pattern!r}: {error}"
        raise DataError(f"--pattern: expected one such as *.txt, got {got}") from None
    paths = sorted(filter(Path.is_file, found))
    if not paths:
        expected = f"files {source.pattern} (--pattern names others)"
        raise DataError(f"{source.path}: expected {expected}, got a folder without them")
    for path in bar(paths, desc=source.path.name, unit=" files"):
        document_id = document_id_of(path.relative_to(source.path).as_posix())
        yield Document(document_id, " ".join(path.stem.split()), text_of_file(path))


def text_of_file(path: Path) -> str:
    """Returns the text of a file. Raises DataError if it is not UTF-8."""
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise DataError(f"{path}: expected UTF-8, got {got}") from None


def json_documents(path: Path) -> Iterator[Document]:
    """Yields a document of each line. Raises DataError if an id occurs twice."""
    ids = IdColumn(path)
    for record in read_objects(path):
        name = "_id" if "_id" in record and "id" not in record else "id"
        document_id = document_id_of(id_text(record, name))
        ids.add(identifier(document_id, str(record.place), name))
        text = record.require("text", str)
        yield Document(document_id, text_field(record, "title"), text)
    ids.refuse_repeated()
