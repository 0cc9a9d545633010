"""A collection, answers and a run as files, and what `evaluate --answers` prints about them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines

TEXTS = {
    "p1": "Apollo flew",
    "p2": "Gemini came before",
    "p3": "to the Moon",
    "p4": "Skylab",
}


class Printed(NamedTuple):
    """How a verb ended and what it printed."""

    status: int
    lines: list[str]
    complaint: str


def write_collection(folder: Path, texts: Mapping[str, str], title: str = "Moon") -> None:
    """Writes collection.tsv: all passages have the same title."""
    lines = [f"{passage_id}\t{title}\t{text}" for passage_id, text in texts.items()]
    write_lines(folder / "collection.tsv", lines)


def write_answers(folder: Path, answers: Mapping[str, Iterable[str]]) -> None:
    """Writes answers.tsv."""
    lines = ["\t".join((query_id, *texts)) for query_id, texts in answers.items()]
    write_lines(folder / "answers.tsv", lines)


def write_run(folder: Path, run: Mapping[str, Iterable[str]]) -> None:
    """Writes the passage ids of each query, in the order of their ranks, as a.run."""
    lines = []
    for query_id, passage_ids in run.items():
        for rank, passage_id in enumerate(passage_ids, 1):
            lines.append(f"{query_id}\tQ0\t{passage_id}\t{rank}\t{9 - rank}\tx")
    write_lines(folder / "a.run", lines)


class AnswerEvaluation:
    """The verb `evaluate --answers` on files in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.folder = folder
        self.capsys = capsys

    def call(self, *flags: str) -> Printed:
        """Calls the verb on the files that are in the folder."""
        status = main(
            [
                "evaluate",
                *("--run", str(self.folder / "a.run")),
                *("--answers", str(self.folder / "answers.tsv")),
                *("--collection", str(self.folder / "collection.tsv")),
                *flags,
            ]
        )
        printed = self.capsys.readouterr()
        return Printed(status, printed.out.splitlines(), printed.err)

    def __call__(self, answers: str, run: str, *flags: str) -> Printed:
        """Evaluates a run over TEXTS. answers: the content of the file. run: "q1 p1 p2;q2 p1"."""
        write_collection(self.folder, TEXTS)
        (self.folder / "answers.tsv").write_text(answers)
        rankings = {}
        for words in run.split(";"):
            query_id, *passage_ids = words.split()
            rankings[query_id] = passage_ids
        write_run(self.folder, rankings)
        return self.call(*flags)
