"""Every fault of a folder of files, found by the readers that the verbs read with.

A file is known by its name. What it may name is what the folder has: its queries are those of its split, where there is
such a file, else all; its passages are those of collection.tsv.
"""

import re
from collections.abc import Callable
from pathlib import Path

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.formats import (
    iterate_collection,
    read_answers,
    read_examples,
    read_pairs,
    read_qrels,
    read_queries,
)
from rocketqa.files.rows import Check, no_file, same_text
from rocketqa.files.runs import RunFile

TRAIN, UNLABELLED = "train", "unlabelled"
MANIFEST_ENDING = ".meta.json"
NAMES = {  # in the order of reading: what may be named before what names it
    "collection": r"collection\.tsv",
    "queries": r"queries\.([\w-]+)\.tsv",
    "qrels": r"qrels\.([\w-]+)(\.addition)?\.tsv",
    "truth": r"truth\.([\w-]+)\.tsv",
    "answers": r"answers\.([\w-]+)\.tsv",
    "run": r".+\.run",
    "dual": r"examples\.dual.*\.tsv",
    "cross": r"examples\.cross.*\.tsv",
}


class Folder:
    """One reading of a folder. `rows`: file name -> rows; `skipped`: names that say nothing; faults go to `report`."""

    def __init__(self, path: Path, report: Callable[[Fault], None]):
        self.report, self.rows, self.skipped = report, {}, []
        self.files = self._known_files(path)
        self.passage_ids: set[str] | None = None
        self.queries: dict[str, dict] = {}  # split -> query_id -> Query
        self.positives: dict[str, set[str]] = {}

    def _known_files(self, path: Path) -> dict[str, list[Path]]:
        """Returns kind -> files. Raises DataError where none is ours."""
        if not path.is_dir():
            raise DataError(f"{path}: expected a folder, got none")
        files: dict[str, list[Path]] = {kind: [] for kind in NAMES}
        for file in sorted(path.iterdir()):
            kinds = [kind for kind, name in NAMES.items() if re.fullmatch(name, file.name)]
            if kinds and (instead := no_file(file)):
                self.report(instead)
            elif kinds:
                files[kinds[0]].append(file)
            elif not file.name.endswith(MANIFEST_ENDING):
                self.skipped.append(file.name)
        if not any(files.values()):
            raise DataError(
                f"{path}: expected collection.tsv, queries.SPLIT.tsv or the like, got no such file"
            )
        return files

    def read(self) -> None:
        """Reads all files, each with what it may name."""
        for file in self.files["collection"]:
            self.passage_ids = set()
            self.rows[file.name] = sum(
                1 for _ in iterate_collection(file, Check(self.report), self.passage_ids)
            )
        for file in sorted(self.files["queries"], key=lambda file: split_of(file) != TRAIN):
            self._read_queries(file)
        for kind, reader in (
            ("qrels", read_qrels),
            ("truth", read_qrels),
            ("answers", read_answers),
        ):
            for file in self.files[kind]:
                found = reader(file, check=self.check(split_of(file)))
                self.rows[file.name] = len(found)
                if kind == "qrels":
                    self._note_positives(found)
        for file in self.files["run"]:
            self.rows[file.name] = RunFile(file, self.check()).lines
        for kind, reader in (("dual", read_examples), ("cross", read_pairs)):
            for file in self.files[kind]:
                self.rows[file.name] = len(reader(file, check=self.check()))

    def _read_queries(self, file: Path) -> None:
        split, training = split_of(file), self.queries.get(TRAIN, {})
        texts = (
            {}
            if split == UNLABELLED
            else {same_text(query.text): query.query_id for query in training.values()}
        )
        check = Check(self.report, training=texts, training_ids=training)
        self.queries[split] = read_queries(file, check=check)
        self.rows[file.name] = len(self.queries[split])

    def _note_positives(self, qrels: list) -> None:
        for qrel in qrels:
            if qrel.relevance is not None and qrel.relevance >= 1:
                self.positives.setdefault(qrel.query_id, set()).add(qrel.passage_id)

    def check(self, split: str | None = None) -> Check:
        """Returns what files of a split (None: of any) may name."""
        queries = [self.queries[split]] if split in self.queries else self.queries.values()
        query_ids = {query_id for known in queries for query_id in known} if self.queries else None
        return Check(self.report, query_ids, self.passage_ids, self.positives)

    def unchecked(self) -> list[str]:
        """Returns what could not be held against a file that is not there."""
        return [
            f"{name}: not there, so {ids} are not checked against it"
            for name, ids, there in (
                ("collection.tsv", "passage ids", self.files["collection"]),
                ("queries.SPLIT.tsv", "query ids", self.files["queries"]),
            )
            if not there
        ]


def split_of(file: Path) -> str:
    """Returns the SPLIT of a name like queries.SPLIT.tsv."""
    return file.name.split(".")[1]
