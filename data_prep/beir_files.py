"""The files of a BEIR folder, read and written.

    corpus.jsonl     a JSON object a line: _id, title (may be missing or empty), text
    queries.jsonl    a JSON object a line: _id, text
    qrels/SPLIT.tsv  query-id, corpus-id, score, with a header; the lines may end in CRLF

The two JSON files may be gzipped, as those on the Hugging Face hub are. BEIR's words are translated
here: a document of the corpus becomes a passage, a score becomes a relevance.

The corpus is read line by line, twice. In memory are the queries, the judgements, and eight bytes a
passage.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sources import IdColumn, id_field, identifier, read_foreign, read_objects, text_field

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Qrel, Query, line_of
from rocketqa.files.published_forms import BEIR_CORPUS as CORPUS_NAMES
from rocketqa.files.rows import normalize_text, parse_integer, parse_number

CORPUS, QUERIES, QRELS = CORPUS_NAMES[0], "queries.jsonl", "qrels"
HEADER = "query-id\tcorpus-id\tscore"
STANDING = "queries that are passages of the collection, with the same id and text"
SAME_ID = "queries with the id of a passage of another text"
Pairs = dict[tuple[str, str], int]  # (query_id, passage_id) -> relevance


class Judgements(NamedTuple):
    """The judgements of a split, each pair once, and the counts of what was left out."""

    pairs: Pairs
    notes: Counter[str]


class Known(NamedTuple):
    """What one reading of the corpus tells.

    repeated: hashes of ids that occur more than once. passage_ids: the judged ids that are there.
    standing: id of a query that is also the id of a passage -> whether the texts are the same.
    """

    repeated: set[int]
    passage_ids: set[str]
    standing: dict[str, bool]


class BeirFolder:
    """A BEIR folder as rows of our files. Its files are read when they are first needed."""

    def __init__(self, folder: Path):
        """Raises DataError if a file is missing."""
        self.corpus = json_file(folder, CORPUS)
        self.queries = json_file(folder, QUERIES)
        paths = sorted((folder / QRELS).glob("*.tsv"))
        self.qrels = {path.stem: path for path in paths}  # split -> file
        if not self.qrels:
            raise DataError(f"{folder}: expected {QRELS}/SPLIT.tsv, got a folder without it")

    @cached_property
    def judgements(self) -> dict[str, Judgements]:
        """The judgements of each split."""
        return {split: read_judgements(path) for split, path in self.qrels.items()}

    @cached_property
    def query_texts(self) -> dict[str, str]:
        """query_id -> text, in file order. Repeated ids and empty texts are counted in notes."""
        texts: dict[str, str] = {}
        for record in read_objects(self.queries):
            query_id = id_field(record, "_id")
            text = text_field(record, "text")
            if query_id in texts:
                self.query_notes["repeated queries left out"] += 1
            elif text:
                texts[query_id] = text
            else:
                self.query_notes["queries without a text left out"] += 1
        return texts

    @cached_property
    def query_notes(self) -> Counter[str]:
        """The counts of what `query_texts` leaves out."""
        return Counter()

    @cached_property
    def known(self) -> Known:
        """What a reading of the whole corpus tells."""
        wanted: set[str] = set()
        for judgements in self.judgements.values():
            wanted.update(passage_id for _, passage_id in judgements.pairs)
        known = Known(set(), set(), {})
        ids = IdColumn(self.corpus)
        for passage in read_corpus(self.corpus, Counter()):
            ids.add(passage.passage_id)
            if passage.passage_id in wanted:
                known.passage_ids.add(passage.passage_id)
            query_text = self.query_texts.get(passage.passage_id)
            if query_text is not None:
                known.standing[passage.passage_id] = is_text_of(query_text, passage)
        known.repeated.update(ids.repeated())
        return known

    def collection_lines(self, notes: Counter[str]) -> Iterator[str]:
        """Yields the rows of collection.tsv, each id once."""
        seen: set[str] = set()
        for passage in read_corpus(self.corpus, notes):
            passage_id = passage.passage_id
            if passage_id in seen:
                notes["repeated passages left out"] += 1
                continue
            if hash(passage_id) in self.known.repeated:
                seen.add(passage_id)
            yield line_of(passage)

    def qrels_lines(self, split: str, notes: Counter[str]) -> Iterator[str]:
        """Yields the rows of qrels.SPLIT.tsv whose query and passage are there."""
        notes.update(self.judgements[split].notes)
        for qrel in self._kept(split, notes):
            yield line_of(qrel)

    def _kept(self, split: str, notes: Counter[str]) -> Iterator[Qrel]:
        for (query_id, passage_id), relevance in self.judgements[split].pairs.items():
            if query_id not in self.query_texts:
                notes[f"judgements of queries that are not in {QUERIES} left out"] += 1
            elif passage_id not in self.known.passage_ids:
                notes[f"judgements of passages that are not in {CORPUS} left out"] += 1
            else:
                yield Qrel(query_id, passage_id, relevance)

    def query_lines(self, split: str, notes: Counter[str]) -> Iterator[str]:
        """Yields the rows of queries.SPLIT.tsv: the queries with a judgement that is kept."""
        judged = {query_id for query_id, _ in self.judgements[split].pairs}
        kept = {qrel.query_id for qrel in self._kept(split, Counter())}
        standing = self.known.standing
        for query_id, text in self.query_texts.items():
            if query_id in kept:
                if query_id in standing:
                    notes[STANDING if standing[query_id] else SAME_ID] += 1
                yield line_of(Query(query_id, text))
            elif query_id in judged:
                notes["queries left out because all their judged passages are missing"] += 1
            else:
                notes["queries without a judgement in this split left out"] += 1
        notes.update(self.query_notes)


def json_file(folder: Path, name: str) -> Path:
    """Returns the path of a JSON file, gzipped or not. Raises DataError if it is not there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder}: expected {name}, got a folder without it")


def read_corpus(path: Path, notes: Counter[str]) -> Iterator[Passage]:
    """Yields the passages in file order. The title stands in for a text that is missing."""
    for record in read_objects(path):
        passage_id = id_field(record, "_id")
        title = text_field(record, "title")
        text = text_field(record, "text")
        if text:
            yield Passage(passage_id, title, text)
        elif title:
            notes["passages without a text, whose title became the text"] += 1
            yield Passage(passage_id, "", title)
        else:
            notes["passages without title and text left out"] += 1


def is_text_of(query_text: str, passage: Passage) -> bool:
    """Returns whether a query is the text of a passage, its title, or both together."""
    query = normalize_text(query_text)
    both = f"{passage.title} {passage.text}"
    return query in map(normalize_text, (passage.text, passage.title, both))


def read_judgements(path: Path) -> Judgements:
    """Returns the judgements of qrels/SPLIT.tsv.

    Of a pair that is judged twice the last relevance counts, as in BEIR's own loader.
    """
    pairs: Pairs = {}
    notes: Counter[str] = Counter()
    for number, (place, (query_id, passage_id, score)) in enumerate(read_foreign(path, (3,))):
        is_header = number == 0 and parse_number(score) is None
        if is_header:
            continue
        relevance = relevance_of(score)
        if relevance is None:
            raise DataError(f"{place}: expected score as int, got {score!r}")
        identifier(query_id, place, "query-id")
        pair = query_id, identifier(passage_id, place, "corpus-id")
        if pair in pairs:
            same = pairs[pair] == relevance
            kind = "repeated" if same else "contradicted"
            notes[f"{kind} judgements left out"] += 1
        pairs[pair] = relevance
    return Judgements(pairs, notes)


def relevance_of(score: str) -> int | None:
    """Returns the relevance that a score such as 1, -1 or 1.0 means; None for other text."""
    return parse_integer(score.removesuffix(".0"))


def corpus_lines(passages: Iterable[Passage]) -> Iterator[str]:
    """Yields the lines of corpus.jsonl."""
    for passage_id, title, text in passages:
        yield json_line({"_id": passage_id, "title": title, "text": text, "metadata": {}})


def queries_lines(queries: Iterable[Query]) -> Iterator[str]:
    """Yields the lines of queries.jsonl."""
    for query_id, text in queries:
        yield json_line({"_id": query_id, "text": text, "metadata": {}})


def qrels_lines(qrels: Iterable[Qrel]) -> Iterator[str]:
    """Yields the lines of qrels/SPLIT.tsv."""
    yield HEADER
    for query_id, passage_id, relevance in qrels:
        yield f"{query_id}\t{passage_id}\t{relevance}"


def json_line(fields: dict[str, object]) -> str:
    """Returns an object in one line, its characters as they are."""
    return json.dumps(fields, ensure_ascii=False)
