"""Published files that are taken for ours, of MS MARCO and of BEIR, and what to do with them."""

from collections.abc import Sequence
from pathlib import Path

from rocketqa.files.rows import is_valid_id

CANDIDATES = "MS MARCO's top1000 (query_id, passage_id, query, passage), candidates to re-rank"
TO_RUN = r"awk -F'\t' -v OFS='\t' '{print $1, $2, ++n[$1]}' FILE > FILE.run"
BEIR_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
TRIPLES = "MS MARCO's qidpidtriples (query_id, positive passage_id, negative passage_id)"


def candidates_cure(name: str) -> str:
    """Returns what to do with a file of MS MARCO's candidates to re-rank."""
    command = TO_RUN.replace("FILE", name)
    return f"`{command}` makes a run of it, which `rocketqa score` takes"


def why_skipped(name: str) -> str:
    """Returns why `rocketqa validate` skips a file of this name."""
    if name.startswith("top1000."):
        return f"{CANDIDATES}: {candidates_cure(name)}"
    return "unknown file name"


def form_of_folder(folder: Path) -> str:
    """Returns what a folder without our files is, with what makes our files of it."""
    if any((folder / name).exists() for name in BEIR_CORPUS):
        command = f"python data_prep/beir.py import {folder} --output data/mine"
        return f"a BEIR folder: `{command}` makes them"
    return "no such file: `python data_prep/documents.py --help` says how documents become passages"


def published_form(columns: Sequence[str]) -> str:
    """Returns which published form the columns of a line have, with what to do; else nothing."""
    if is_candidate(columns):
        return f"{CANDIDATES}: {candidates_cure('FILE')}"
    if len(columns) == 3 and all(map(is_valid_id, columns)):
        return f"3, as in {TRIPLES}: `rocketqa train-dual-encoder --examples` takes them unchanged"
    return ""


def is_candidate(columns: Sequence[str]) -> bool:
    """Returns whether the columns are a query_id, a passage_id, a query and a passage."""
    if len(columns) != 4:
        return False
    query_id, passage_id, query, passage = columns
    ids = is_valid_id(query_id) and is_valid_id(passage_id)
    return ids and " " in query.strip() and " " in passage.strip()
