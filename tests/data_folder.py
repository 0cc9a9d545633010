"""A folder of small sound files, the reader of each, and what its rows are compared with."""

from pathlib import Path

from broken_files import SOUND

from rocketqa.files.examples import read_examples, read_pairs
from rocketqa.files.formats import iterate_collection, read_answers, read_qrels, read_queries
from rocketqa.files.rows import Check, normalize_text
from rocketqa.files.runs import RunFile

READERS = {  # file name -> function of (path, check) that reads it as the verbs do
    "collection.tsv": lambda path, check: list(iterate_collection(path, check)),
    "queries.dev.tsv": lambda path, check: read_queries(path, check=check),
    "qrels.train.tsv": read_qrels,
    "answers.dev.tsv": read_answers,
    "dev.run": RunFile,
    "marco.run": RunFile,
    "released.run": RunFile,
    "examples.dual.tsv": lambda path, check: read_examples(path, check=check),
    "examples.cross.tsv": lambda path, check: read_pairs(path, check=check),
}
TRAINING_QUERIES = {"q1": "who flew", "q2": "what came before"}
PASSAGE_IDS = {"p1", "p2", "p3", "p4"}
QUERY_IDS = {"q1", "q2", "d1", "d2"}
QUERY_IDS_OF_SPLIT = {"qrels.train.tsv": {"q1", "q2"}, "answers.dev.tsv": {"d1", "d2"}}
KNOWN_POSITIVES = {"q1": {"p1"}, "q2": {"p2"}}


def write_sound_folder(tmp_path: Path, **changed: bytes | None) -> Path:
    """Returns a folder with the sound files, some with other bytes (None: left out)."""
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    for name, content in (SOUND | changed).items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def check_of(file: str) -> Check:
    """Returns what a file of the sound folder is compared with; the first fault is raised."""
    if file == "collection.tsv":
        return Check()
    if file == "queries.dev.tsv":
        texts = {normalize_text(text): query_id for query_id, text in TRAINING_QUERIES.items()}
        return Check(training_texts=texts, training_query_ids=TRAINING_QUERIES)
    return Check(
        query_ids=QUERY_IDS_OF_SPLIT.get(file, QUERY_IDS),
        passage_ids=PASSAGE_IDS,
        known_positives=KNOWN_POSITIVES if file.startswith("examples") else {},
    )
