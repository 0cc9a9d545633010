"""Small files in the form in which DPR publishes Natural Questions."""

import gzip
import json
from pathlib import Path

from data_prep_runs import call, write

PASSAGES = (
    "id\ttext\ttitle\n"
    '1\t"Aaron Aaron ( or ; """"Ahärôn"""") is a prophet"\tAaron\n'
    '2\t"God at Sinai granted Aaron\tthe ""priesthood"""\t"""Weird"" title"\n'
    "3\tplain words\tPlain\n"
)
QUESTIONS = 'who wrote it\t[\'Anna\', "O\'Neill", \'Anna\']\nwhich "one"\t["2\\u20133"]\n'


def example(
    question: str | None, answers: list[str], positives: list[str], negatives: list[str]
) -> dict[str, object]:
    """Returns an example with the passages of these ids."""
    positive_passages = []
    for passage_id in positives:
        passage = {"title": "t", "text": "x", "score": 1000, "passage_id": passage_id}
        positive_passages.append(passage)
    return {
        "dataset": "nq_train_psgs_w100",
        "question": question,
        "answers": answers,
        "positive_ctxs": positive_passages,
        "negative_ctxs": [],
        "hard_negative_ctxs": [{"text": "x", "passage_id": key} for key in negatives],
    }


TRAIN = [
    example("big little lies how many episodes", ["seven"], ["2", "3"], ["1"]),
    example("who has no negatives", ["nobody"], ["1"], []),
    example("who sings", ["A", " ", "B\tC"], ["3"], ["1", "2"]),
]
DEV = [example("who is a prophet", ["Aaron"], ["1"], [])]


def write_dpr_files(folder: Path) -> Path:
    """Writes DPR's files into a folder, the dev examples gzipped, and returns the folder."""
    write(folder, psgs_w100__tsv=PASSAGES)
    write(folder, **{"nq-test__qa__csv": QUESTIONS})
    write(folder, **{"biencoder-nq-train__json": json.dumps(TRAIN, indent=4)})
    with gzip.open(folder / "biencoder-nq-dev.json.gz", "wt", encoding="utf-8") as file:
        json.dump(DEV, file)
    return folder


def build_nq(folder: Path, *flags: object) -> tuple[int, str]:
    """Builds Natural Questions from a folder into `out` beside it; returns status and stderr."""
    return call("nq.py", "--output", folder.parent / "out", "--from", folder, *flags)
