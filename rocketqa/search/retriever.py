"""Answers to a query from an encoded collection: retrieve and, where there is a cross encoder, rank anew."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.collection import CollectionFile, known
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.inference.engine import Engine
from rocketqa.jobs.job import digest
from rocketqa.search.index import ExactSearch
from rocketqa.search.vectors import VectorStore
from rocketqa.weights.checkpoint import load_model

TOKENS_AT_ONCE = 2048


class Answer(NamedTuple):
    passage_id: str
    title: str
    text: str
    score: float  # P(relevant) where a cross encoder ranks, else the inner product


class Retriever:
    """Queries -> answers. Threads may share it: one query at a time runs through the models."""

    def __init__(
        self,
        encode: Callable[[str], np.ndarray],
        search: ExactSearch,
        collection: Mapping[str, Passage],
        relevance: Callable[[str, Sequence[Passage]], list[float]] | None = None,
    ):
        self.encode, self.search, self.collection, self.relevance = (
            encode,
            search,
            collection,
            relevance,
        )
        self._lock = threading.Lock()

    def answer(self, query: str, depth: int) -> list[Answer]:
        """Returns at most `depth` answers by (score descending, passage id ascending); no query, no answers."""
        if not query.strip():
            return []
        with self._lock:
            (ranking,) = self.search.search(self.encode(query), depth)
            passages = [known(self.collection, passage_id, "passages") for passage_id, _ in ranking]
            scores = (
                self.relevance(query, passages)
                if self.relevance
                else [score for _, score in ranking]
            )
        answers = [Answer(*passage, score) for passage, score in zip(passages, scores)]
        return sorted(answers, key=lambda answer: (-answer.score, answer.passage_id))


def load_retriever(
    checkpoint: Path,
    collection: Path,
    passage_vectors: Sequence[Path],
    max_memory: int,
    cross_encoder: Path | None = None,
    query_length: int = 32,
    pair_length: int = 160,
) -> Retriever:
    """Returns a retriever whose texts stay on disk. Raises DataError on vectors of another model or collection."""
    store = VectorStore(passage_vectors)
    _check_sources(store, checkpoint, collection)
    relevance = _relevance(cross_encoder, pair_length) if cross_encoder else None
    return Retriever(
        _query_encoder(checkpoint, query_length),
        ExactSearch(store, max_memory),
        CollectionFile(collection),
        relevance,
    )


def _check_sources(store: VectorStore, checkpoint: Path, collection: Path) -> None:
    """Vectors of one's own have no manifest, and nothing to compare."""
    for name, path in (
        (("checkpoint", checkpoint), ("collection", collection)) if store.manifest else ()
    ):
        if store.manifest.get(name) != [digest(path)]:
            raise DataError(
                f"{path}: expected the {name} that {store.directories[0]} was encoded with, got another: "
                f"encode again"
            )


def _query_encoder(checkpoint: Path, query_length: int) -> Callable[[str], np.ndarray]:
    """Returns a function from a query to its vector, float32 [1, H]."""
    model, text_encoder = load_model(checkpoint, DualEncoder)
    engine = Engine(model.query_encoder)
    return lambda query: engine(text_encoder.queries([query], query_length))


def _relevance(
    checkpoint: Path, pair_length: int
) -> Callable[[str, Sequence[Passage]], list[float]]:
    """Returns a function from a query and passages to P(relevant) of each."""
    model, text_encoder = load_model(checkpoint, CrossEncoder)
    engine = Engine(model)

    def relevance(query: str, passages: Sequence[Passage]) -> list[float]:
        rows = text_encoder.pairs([query] * len(passages), passages, pair_length)
        return engine.all(rows, TOKENS_AT_ONCE).tolist()

    return relevance
