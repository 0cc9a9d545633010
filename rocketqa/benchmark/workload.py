"""The work of each contender of `rocketqa benchmark speed`: the same texts, lengths, batches.

    encode    passages to vectors
    score     pairs of a query and a passage to relevance
    train     steps of a dual encoder; each query has a positive and a negative passage

The time of each includes tokenizing. The passages are assigned to the queries at random, because
the time does not depend on whether they are relevant.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, iterate_collection, read_queries

ENCODE, SCORE, TRAIN = "encode", "score", "train"
WORKS = (ENCODE, SCORE, TRAIN)
QUERY_LENGTH = 32  # tokens, special ones included; so are the next two
PASSAGE_LENGTH = 128
PAIR_LENGTH = 160
TRAINING_QUERIES = 32  # of a training step

Round = Callable[[], object]  # does the work on all texts once


class Texts(NamedTuple):
    """Equally many passages and queries, drawn from real ones."""

    passages: list[Passage]
    queries: list[str]


class TrainingBatch(NamedTuple):
    """The texts of a training step."""

    queries: list[str]
    positives: list[Passage]
    negatives: list[Passage]


def draw_texts(collection: Path, queries: Path, rows: int) -> Texts:
    """Returns `rows` passages and as many queries in random order, the same ones at each call.

    Raises DataError where the files have fewer.
    """
    all_passages = list(iterate_collection(collection))
    all_queries = [query.text for query in read_queries(queries).values()]
    if min(len(all_passages), len(all_queries)) < rows:
        raise DataError(
            f"{collection}: expected {rows} passages and queries to draw from, "
            f"got {len(all_passages)} and {len(all_queries)}"
        )
    generator = random.Random(1)
    passages = generator.sample(all_passages, rows)
    return Texts(passages, generator.sample(all_queries, rows))


def thread_count() -> int:
    """Returns the number of threads of a contender: OMP_NUM_THREADS, else this process's cores."""
    cores = len(os.sched_getaffinity(0))
    return int(os.environ.get("OMP_NUM_THREADS", cores))


def training_batches(texts: Texts) -> list[TrainingBatch]:
    """Returns the batches of a round of training; each passage occurs once at most."""
    batches = []
    for begin in _first_rows_of_batches(len(texts.queries)):
        middle = begin + TRAINING_QUERIES
        end = middle + TRAINING_QUERIES
        batch = TrainingBatch(
            queries=texts.queries[begin:middle],
            positives=texts.passages[begin:middle],
            negatives=texts.passages[middle:end],
        )
        batches.append(batch)
    return batches


def rows_of_round(work: str, rows: int) -> int:
    """Returns how many passages, pairs, or (in training) queries a round on `rows` texts takes."""
    if work == TRAIN:
        return TRAINING_QUERIES * len(_first_rows_of_batches(rows))
    return rows


def _first_rows_of_batches(rows: int) -> range:
    return range(0, rows - TRAINING_QUERIES, 2 * TRAINING_QUERIES)
