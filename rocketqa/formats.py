"""The files between the verbs: their records, and the only code that reads and writes them.

All are UTF-8, LF, tab-separated, without a header; ids are strings.

    collection.tsv      passage_id, title (may be empty), text
    queries.SPLIT.tsv   query_id, text
    qrels.SPLIT.tsv     query_id, 0, passage_id, relevance (TREC), or the released code's query_id, passage_id
    *.run               query_id, Q0, passage_id, rank (from 1), score, tag (TREC); also read: MS MARCO's query_id,
                        passage_id, rank and the released code's query_id, passage_id, rank, score
    examples.dual.tsv   query_id, positive passage_id, negative passage_id ...
    examples.cross.tsv  query_id, passage_id, label (1 relevant, 0 not)
    *.measures.tsv      measure, value
"""
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

RUN_TAG = "rocketqa"


class DataError(ValueError):
    """What a user must mend, in one line: `place: expected ..., got ...`. A command exits 2 with it."""


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


class ScoredPassage(NamedTuple):
    query_id: str
    passage_id: str
    rank: int
    score: float


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


Row = tuple[str, list[str]]  # (place, columns)
Run = dict[str, list[ScoredPassage]]  # query_id -> passages by rank


def read_rows(path: Path, widths: tuple[int, ...] | None, at_least: int = 1) -> Iterator[Row]:
    """Yields (`file:line`, columns) of a tab-separated file.

    `widths` are the column counts allowed; a file keeps the one of its first line. Raises DataError.
    """
    path, width = Path(path), None
    if not path.is_file():
        raise DataError(f"{path}: expected a file, got nothing there")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{path}:{number}"
            columns = _decode(line, place).split("\t")
            if widths and (len(columns) not in widths or len(columns) != (width or len(columns))):
                wanted = width or " or ".join(map(str, widths))
                raise DataError(f"{place}: expected {wanted} columns, got {len(columns)}")
            if len(columns) < at_least:
                raise DataError(f"{place}: expected at least {at_least} columns, got {len(columns)}")
            width = len(columns)
            yield place, columns


def _decode(line: bytes, place: str) -> str:
    try:
        text = line.removesuffix(b"\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: expected UTF-8, got byte {line[error.start]:#04x} at {error.start}") from None
    if text.startswith("\ufeff"):
        raise DataError(f"{place}: expected text, got a byte order mark")
    if "\r" in text:
        raise DataError(f"{place}: expected lines that end in LF, got a carriage return")
    return text


def _identifier(value: str, place: str, name: str) -> str:
    if not value or value.split() != [value]:
        raise DataError(f"{place}: expected a {name} without spaces, got {value!r}")
    return value


def _number(value: str, place: str, name: str, kind: type) -> int | float:
    try:
        number = kind(value)
    except ValueError:
        raise DataError(f"{place}: expected {name} as {kind.__name__}, got {value!r}") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: expected a finite {name}, got {value!r}")
    return number


def _text(value: str, place: str) -> str:
    if not value.strip():
        raise DataError(f"{place}: expected a text, got an empty one")
    return value


def iterate_collection(path: Path) -> Iterator[Passage]:
    """Yields the passages in file order. Raises DataError on a malformed row, an empty text or a repeated id."""
    seen = set()
    for place, (passage_id, title, text) in read_rows(path, (3,)):
        passage = Passage(_identifier(passage_id, place, "passage_id"), title, _text(text, place))
        _refuse_repeated(passage_id, seen, place)
        yield passage


def _refuse_repeated(key, seen: set, place: str) -> None:
    if key in seen:
        raise DataError(f"{place}: expected each id once, got {key!r} again")
    seen.add(key)


def read_collection(path: Path) -> dict[str, Passage]:
    """Returns passage_id -> Passage, in file order."""
    return {passage.passage_id: passage for passage in iterate_collection(path)}


def read_queries(*paths: Path) -> dict[str, Query]:
    """Returns query_id -> Query over all the files, in file order. Ids are unique over all of them."""
    queries, seen = {}, set()
    for path in paths:
        for place, (query_id, text) in read_rows(path, (2,)):
            _refuse_repeated(query_id, seen, place)
            queries[query_id] = Query(_identifier(query_id, place, "query_id"), _text(text, place))
    return queries


def iterate_qrels(path: Path) -> Iterator[Qrel]:
    """Yields judgements of a four-column (TREC) or two-column (released code) file; a mixture is refused."""
    for place, columns in read_rows(path, (4, 2)):
        query_id, passage_id = columns[0], columns[-2] if len(columns) == 4 else columns[1]
        relevance = _number(columns[3], place, "relevance", int) if len(columns) == 4 else 1
        yield Qrel(_identifier(query_id, place, "query_id"), _identifier(passage_id, place, "passage_id"), relevance)


def read_positives(*paths: Path) -> dict[str, list[str]]:
    """Returns query_id -> ids of its relevant passages (relevance >= 1), in file order."""
    positives: dict[str, list[str]] = {}
    for path in paths:
        for qrel in iterate_qrels(path):
            known = positives.setdefault(qrel.query_id, [])
            if qrel.relevance >= 1 and qrel.passage_id not in known:
                known.append(qrel.passage_id)
    return {query_id: known for query_id, known in positives.items() if known}


def iterate_run(path: Path) -> Iterator[tuple[str, ScoredPassage]]:
    """Yields (`file:line`, scored passage) of a TREC, MS MARCO or released-code run, told apart by column count.

    MS MARCO's runs hold no score: it becomes 1 / rank.
    """
    for place, columns in read_rows(path, (6, 3, 4)):
        query_id, passage_id, rank = columns[:3] if len(columns) < 6 else (columns[0], columns[2], columns[3])
        rank = _number(rank, place, "rank", int)
        score = _number(columns[-2 if len(columns) == 6 else 3], place, "score", float) if len(columns) > 3 else None
        query_id, passage_id = _identifier(query_id, place, "query_id"), _identifier(passage_id, place, "passage_id")
        yield place, ScoredPassage(query_id, passage_id, rank, 1 / max(rank, 1) if score is None else score)


def read_run(path: Path) -> Run:
    """Returns query_id -> its passages by rank. Raises DataError on a rank below 1, a gap, a repeat."""
    run: Run = {}
    seen = set()
    for place, scored in iterate_run(path):
        _refuse_repeated((scored.query_id, scored.passage_id), seen, place)
        run.setdefault(scored.query_id, []).append(scored)
    for query_id, ranking in run.items():
        ranking.sort(key=lambda scored: scored.rank)
        ranks = [scored.rank for scored in ranking]
        if ranks != list(range(1, len(ranks) + 1)):
            wrong = next(rank for place, rank in enumerate(ranks, 1) if rank != place)
            raise DataError(f"{path}: expected ranks 1, 2, ... for query {query_id}, got {wrong}")
    return run


def ranked(query_id: str, scores: Iterable[tuple[str, float]]) -> list[ScoredPassage]:
    """Returns the passages by (score descending, passage id ascending), ranks from 1: our one order everywhere."""
    ordered = sorted(scores, key=lambda pair: (-pair[1], pair[0]))
    return [ScoredPassage(query_id, passage_id, rank, score) for rank, (passage_id, score) in enumerate(ordered, 1)]


def run_lines(ranking: Iterable[ScoredPassage]) -> Iterator[str]:
    """Yields TREC lines. Nine digits hold a float32 score exactly."""
    for query_id, passage_id, rank, score in ranking:
        yield f"{query_id}\tQ0\t{passage_id}\t{rank}\t{score:.9g}\t{RUN_TAG}"


def read_examples(*paths: Path) -> list[TrainingExample]:
    """Returns the rows of examples.dual.tsv files; every row has the same number of negatives."""
    examples: list[TrainingExample] = []
    for path in paths:
        for place, (query_id, positive_id, *negative_ids) in read_rows(path, None, at_least=2):
            ids = [_identifier(value, place, "passage_id") for value in (positive_id, *negative_ids)]
            if positive_id in negative_ids:
                raise DataError(f"{place}: expected negatives other than the positive, got {positive_id!r} as both")
            if examples and len(negative_ids) != len(examples[0].negative_ids):
                wanted = len(examples[0].negative_ids)
                raise DataError(f"{place}: expected {wanted} negatives as in the first row, got {len(negative_ids)}")
            examples.append(TrainingExample(query_id, ids[0], tuple(ids[1:])))
    return examples


def read_pairs(*paths: Path) -> list[LabelledPair]:
    """Returns the rows of examples.cross.tsv files."""
    pairs = []
    for path in paths:
        for place, (query_id, passage_id, label) in read_rows(path, (3,)):
            if label not in ("0", "1"):
                raise DataError(f"{place}: expected label 0 or 1, got {label!r}")
            pairs.append(LabelledPair(query_id, passage_id, int(label)))
    return pairs


def read_measures(path: Path) -> dict[str, float]:
    """Returns measure -> value."""
    return {name: _number(value, place, name, float) for place, (name, value) in read_rows(path, (2,))}


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes the lines, LF after each, and returns how many."""
    count = 0
    with Path(path).open("w", encoding="utf-8", newline="\n") as output:
        for line in lines:
            output.write(line + "\n")
            count += 1
    return count
