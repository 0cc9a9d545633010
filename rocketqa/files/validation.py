"""Validation of a folder: every fault of its files, found by the readers that the verbs use.

The name of a file tells its format. A file may name what is in the folder: the passages of
collection.tsv and the queries of its SPLIT. If that SPLIT has no file of queries, it may name the
queries of all files.
"""

import re
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.examples import read_examples, read_pairs
from rocketqa.files.first_bytes import fault_of_first_bytes
from rocketqa.files.formats import (
    Qrel,
    Query,
    iterate_collection,
    read_answers,
    read_qrels,
    read_queries,
)
from rocketqa.files.published_forms import form_of_folder
from rocketqa.files.rows import Check, file_fault, normalize_text
from rocketqa.files.run_order import first_contradiction
from rocketqa.files.runs import RunFile

TRAIN = "train"
UNLABELLED = "unlabelled"
ALL_QUERIES = "queries.tsv"  # of no split; it may repeat the queries of the others
MANIFEST_ENDING = ".meta.json"
SAME_TEXT = "same text"
SHOWN_COPIES = 5  # of a file
FILE_NAMES = {  # kind -> pattern of the file name
    "collection": r"collection\.tsv",
    "queries": r"queries(\.[\w-]+)?\.tsv",
    "qrels": r"qrels\.([\w-]+)(\.addition)?\.tsv",
    "truth": r"truth\.([\w-]+)\.tsv",
    "answers": r"answers\.([\w-]+)\.tsv",
    "run": r".+\.run",
    "dual": r"(examples\.dual|qidpidtriples).*\.tsv",  # MS MARCO's triples have the same columns
    "cross": r"examples\.cross.*\.tsv",
}


class DataFolder:
    """The files of a folder, to be read once. Each fault goes to `on_fault`.

    files: kind of FILE_NAMES -> files. skipped: the other file names. row_counts: file name ->
    number of rows, from `read` on. notes: lines about what is odd, but no fault, from `read` on.
    Raises DataError where the folder has no file of a known kind.
    """

    def __init__(self, path: Path, on_fault: Callable[[Fault], None]):
        self.on_fault = on_fault
        self.row_counts: dict[str, int] = {}
        self.skipped: list[str] = []
        self.notes: list[str] = []
        self.files: dict[str, list[Path]] = {kind: [] for kind in FILE_NAMES}
        self._unreadable: set[str] = set()  # kinds with a file that cannot be read
        self._passage_ids: set[str] | None = None
        self._queries: dict[str, dict[str, Query]] = {}  # split -> query_id -> Query
        self._positives: dict[str, set[str]] = {}  # query_id -> ids of relevant passages
        self._find_files(path)

    def _find_files(self, path: Path) -> None:
        """Sorts the files of the folder by kind. Reports those that cannot be read."""
        if not path.is_dir():
            raise DataError(f"{path}: expected a folder, got none")
        for file in sorted(path.iterdir()):
            kind = _kind_of(file)
            if kind is None:
                if not f".{file.name}".endswith(MANIFEST_ENDING):
                    self.skipped.append(file.name)
                continue
            fault = file_fault(file) or fault_of_first_bytes(file)
            if fault is None:
                self.files[kind].append(file)
            else:
                self._unreadable.add(kind)
                self.on_fault(fault)
        if not any(self.files.values()) and not self._unreadable:
            expected = "collection.tsv, queries.train.tsv or the like"
            raise DataError(f"{path}: expected {expected}, got {form_of_folder(path)}")

    def read(self) -> None:
        """Reads all files. A file that names ids comes after the files that hold them."""
        self._read_collection()
        self._read_queries()
        self._read_qrels()
        for file in self.files["truth"]:
            qrels = read_qrels(file, self._check_of(file))
            self.row_counts[file.name] = len(qrels)
        for file in self.files["answers"]:
            answers = read_answers(file, self._check_of(file))
            self.row_counts[file.name] = len(answers)
        check = self._check(self._queries.values())
        for file in self.files["run"]:
            run = RunFile(file, check)
            self.row_counts[file.name] = run.line_count
            contradiction = first_contradiction(run)
            if contradiction is not None:
                self.notes.append(contradiction.text)
        for file in self.files["dual"]:
            examples = read_examples(file, check=check)
            self.row_counts[file.name] = len(examples)
        for file in self.files["cross"]:
            pairs = read_pairs(file, check=check)
            self.row_counts[file.name] = len(pairs)

    def _read_collection(self) -> None:
        """Reads collection.tsv and keeps its ids."""
        check = Check(self.on_fault)
        for file in self.files["collection"]:
            self._passage_ids = set()
            passages = iterate_collection(file, check, self._passage_ids)
            hashes = array("q", (text_hash(passage.title, passage.text) for passage in passages))
            self.row_counts[file.name] = len(hashes)
            self._note_copies(file, "passages", hashes, _line_of)

    def _read_queries(self) -> None:
        """Reads and keeps the queries: first the training queries, as others differ from them."""
        for file in sorted(self.files["queries"], key=_is_not_for_training):
            split = split_of(file)
            training_queries = self._queries.get(TRAIN, {})
            training_texts: dict[str, str] = {}
            if split != UNLABELLED:  # these may repeat the texts of training queries
                for query in training_queries.values():
                    training_texts[normalize_text(query.text)] = query.query_id
            check = Check(self.on_fault)
            if file.name != ALL_QUERIES:
                check = check._replace(
                    training_texts=training_texts, training_query_ids=training_queries
                )
            queries = read_queries(file, check=check)
            self._queries[split] = queries
            hashes = array("q", (text_hash(query.text) for query in queries.values()))
            self._note_copies(file, "queries", hashes, list(queries).__getitem__)
            self.row_counts[file.name] = len(queries)

    def _note_copies(
        self, file: Path, records: str, hashes: array, name: Callable[[int], str]
    ) -> None:
        """Notes the texts of a file that stand under several ids.

        hashes: those of its texts. name: gives the name of a record, by its number from 0. Records
        without any text are faults already, and no copies.
        """
        of_nothing = text_hash(""), text_hash("", "")
        found = [pair for pair in copies(hashes) if hashes[pair[0]] not in of_nothing]
        for copy, first in found[:SHOWN_COPIES]:
            self.notes.append(f"{file}: {SAME_TEXT}: {name(copy)} has that of {name(first)}")
        if found:
            count = f"{len(found):,} {records} have that of earlier ones"
            self.notes.append(f"{file}: {SAME_TEXT}: {count}, which is no fault")

    def _read_qrels(self) -> None:
        """Reads the judgements and keeps the relevant passages of each query."""
        for file in self.files["qrels"]:
            qrels = read_qrels(file, self._check_of(file))
            self.row_counts[file.name] = len(qrels)
            self._keep_positives(qrels)

    def _keep_positives(self, qrels: Iterable[Qrel]) -> None:
        """Keeps the relevant passages of each query."""
        for query_id, passage_id, relevance in qrels:
            if relevance >= 1:
                self._positives.setdefault(query_id, set()).add(passage_id)

    def _check_of(self, file: Path) -> Check:
        """Returns the Check of a file with a SPLIT in its name."""
        split = split_of(file)
        if split in self._queries:
            return self._check([self._queries[split]])
        return self._check(self._queries.values())

    def _check(self, queries: Iterable[Iterable[str]]) -> Check:
        """Returns the Check of a file that may name these queries; any if the folder has none, or
        has queries that cannot be read.
        """
        query_ids: set[str] | None = None
        if self._queries and "queries" not in self._unreadable:
            query_ids = set().union(*queries)
        return Check(self.on_fault, query_ids, self._passage_ids, self._positives)

    def missing_references(self) -> list[str]:
        """Returns a line for each kind of ids that cannot be checked, and says why."""
        lines = []
        if not self.files["collection"]:
            lines.append(self._missing("collection", "collection.tsv", "passage ids"))
        if not self.files["queries"] or "queries" in self._unreadable:
            lines.append(self._missing("queries", "queries.SPLIT.tsv", "query ids"))
        return lines

    def _missing(self, kind: str, name: str, ids: str) -> str:
        """Returns the line about ids that are not checked. name: that of the file with the ids."""
        why = "not readable" if kind in self._unreadable else "not there"
        return f"{name}: {why}, so {ids} are not checked against it"


def _line_of(number: int) -> str:
    """Returns the line of a record, by its number from 0, in a file with a record on each line."""
    return f"line {number + 1}"


def text_hash(*texts: str) -> int:
    """Returns 64 bits of texts, the same for texts that an uncased model cannot tell apart."""
    return hash(tuple(map(normalize_text, texts)))


def copies(hashes: array) -> list[tuple[int, int]]:
    """Returns (number of a record, number of the first record with the same hash), from 0, for
    each record that is not the first; ascending.
    """
    values = np.array(hashes, np.int64)
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    is_first = np.append(True, in_order[1:] != in_order[:-1])[: len(values)]
    group_begins = np.maximum.accumulate(np.where(is_first, np.arange(len(values)), 0))
    later = order[~is_first]
    firsts = order[group_begins[~is_first]]
    return sorted(zip(later.tolist(), firsts.tolist()))


def _kind_of(file: Path) -> str | None:
    """Returns the kind of a file, by its name; None for a name of no known kind."""
    for kind, pattern in FILE_NAMES.items():
        if re.fullmatch(pattern, file.name):
            return kind
    return None


def _is_not_for_training(file: Path) -> bool:
    """Returns whether queries are of another split than `train`: a key that sorts those first."""
    return split_of(file) != TRAIN


def split_of(file: Path) -> str:
    """Returns the SPLIT of a name like queries.SPLIT.tsv."""
    return file.name.split(".")[1]
