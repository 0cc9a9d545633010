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

from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, iterate_collection, read_positives, read_queries
from rocketqa.files.rows import Check

ENCODE, SCORE, TRAIN = "encode", "score", "train"
WORKS = (ENCODE, SCORE, TRAIN)
QUERY_LENGTH = 32  # tokens, special ones included; so are the next two
PASSAGE_LENGTH = 128
PAIR_LENGTH = 160
TRAINING_QUERIES = 32  # of a training step
JUDGED = 1000  # labelled queries that judge the vectors of a contender

Round = Callable[[], object]  # does the work on all texts once


class Texts(NamedTuple):
    """Equally many passages and queries, drawn from real ones."""

    passages: list[Passage]
    queries: list[str]

    def queries_alone(self) -> "Texts":
        """Returns the queries as what is encoded, in place of the passages."""
        return Texts([Passage("", "", query) for query in self.queries], self.queries)


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


def draw_labelled_texts(collection: Path, queries: Path, qrels: Path) -> Texts:
    """Returns JUDGED queries, or all where there are fewer, in random order, the same ones at each
    call. The passage at the place of a query is the first that is labelled for it; none is there
    twice. Raises DataError where no query has one.
    """
    all_queries = read_queries(queries)
    all_passages = CollectionFile(collection)
    positives = read_positives(qrels, check=Check(query_ids=all_queries, passage_ids=all_passages))
    query_of_passage: dict[str, str] = {}
    query_ids = sorted(positives)
    random.Random(1).shuffle(query_ids)
    for query_id in query_ids:
        query_of_passage.setdefault(positives[query_id][0], query_id)
    pairs = list(query_of_passage.items())[:JUDGED]
    if not pairs:
        raise DataError(f"{qrels}: expected labelled queries, got none")
    return Texts(
        [all_passages[passage_id] for passage_id, _ in pairs],
        [all_queries[query_id].text for _, query_id in pairs],
    )


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
