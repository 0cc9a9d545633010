"""Answers to queries from an encoded collection, re-ranked where there is a cross encoder."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from numpy import ndarray

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.batch_plan import batches_of_similar_length
from rocketqa.files.collection import entry_with_id
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.inference.engine import Engine
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.jobs.digests import digest, refuse_damaged
from rocketqa.jobs.manifest import paths_in
from rocketqa.search.answer import (
    FIRST_QUERY,
    Answer,
    ScoreKind,
    depth_to_retrieve,
    ranked_answers,
    refuse_without_cross_encoder,
)
from rocketqa.search.bm25_index import Bm25Index
from rocketqa.search.candidates import CandidateSearch, Search
from rocketqa.search.collapse import warn_of_collapse
from rocketqa.search.encodings import COLLECTION, refuse_other_side, similarity_in
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.fusion import FUSED_DEPTH, Scored
from rocketqa.search.index_record import read_record
from rocketqa.search.kept_index import KeptIndex
from rocketqa.search.milvus_search import MilvusCandidates, OpenCollection, open_collection
from rocketqa.search.texts import left_out_by_file, other_source, texts_of
from rocketqa.search.vectors import VectorStore
from rocketqa.search.words import Parts, Words, weighed, with_parts
from rocketqa.weights.checkpoint import read_model
from rocketqa.weights.model_kinds import length_within, model_settings, warn_of_other_length
from rocketqa.weights.model_similarity import with_similarity_of
from rocketqa.weights.stored_model import StoredModel

BATCH_TOKENS = 2048  # in one batch of the cross encoder

EncodeQuery = Callable[[str], ndarray]  # a query -> its vector, float32 [1, H]


class Relevance:
    """The cross encoder that re-ranks the passages of a query.

    pair_length: tokens of a query and a passage together; None: as the checkpoint was trained.
    """

    def __init__(self, checkpoint: Path, pair_length: int | None = None):
        model, self._text_encoder = read_model(checkpoint, CrossEncoder)
        self._checkpoint = checkpoint
        self._length = _length(checkpoint, "max_length", pair_length, model)
        self._engine = Engine(model)

    def __call__(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """Returns P(relevant) of each passage. Raises DataError where one is not finite."""
        queries = [query] * len(passages)
        pairs = self._text_encoder.pairs(queries, passages, self._length)
        scores = self._engine.run_all(pairs, BATCH_TOKENS)

        def name_of_row(row: int) -> str:
            return f"passage {passages[row].passage_id!r} of the query {query!r}"

        refuse_non_finite(scores, self._checkpoint, name_of_row)
        return scores.tolist()

    def start(self, depth: int) -> None:
        """Starts the processes that compute where a query has so many passages of full length."""
        longest_rows = [self._length] * depth
        batches = batches_of_similar_length(longest_rows, BATCH_TOKENS)
        self._engine.start(len(batches))


class Retriever:
    """Finds the answers to queries.

    Several threads may share a retriever, and have to live as long as it does: Paddle Inference
    fails in a thread that begins after others have ended. The models work on one query at a time.

    rerank_depth: passages that `relevance` re-ranks, however many answers are wanted; None: see
    `depth_to_retrieve`. cross_encoder_weight: that of `relevance` beside the score with which a
    passage was retrieved; None: `relevance` alone ranks.
    """

    def __init__(
        self,
        encode: EncodeQuery,
        search: Search,
        collection: Mapping[str, Passage],
        relevance: Relevance | None = None,
        rerank_depth: int | None = None,
        words: Words | None = None,
        cross_encoder_weight: float | None = None,
    ):
        self.encode = encode
        self.search = search
        self.collection = collection
        self.relevance = relevance
        self.rerank_depth = rerank_depth
        self.words = words
        self.cross_encoder_weight = cross_encoder_weight
        self._lock = threading.Lock()

    @property
    def kind(self) -> ScoreKind:
        """What the scores of the answers are."""
        weighs = self.cross_encoder_weight is not None
        return ScoreKind(self.relevance is not None, self.words is not None, weighs)

    def answer(self, query: str, depth: int) -> list[Answer]:
        """Returns at most `depth` answers, ordered by (score descending, passage id ascending).

        A query without text has no answers. Raises DataError on a depth beyond what is re-ranked.
        """
        retrieved = self._depth_to_retrieve(depth)
        if not query.strip():
            return []
        with self._lock:
            ranking, parts = self._ranking(query, retrieved)
            passages = [
                entry_with_id(self.collection, passage_id, "passages") for passage_id, _ in ranking
            ]
            scores = [score for _, score in ranking]
            if self.relevance is not None:
                scores = self.relevance(query, passages)
        if self.cross_encoder_weight is not None:
            scores, parts = weighed(self.cross_encoder_weight, ranking, scores, parts)
        answers = ranked_answers(passages, scores)[:depth]
        return answers if parts is None else with_parts(answers, parts)

    def _ranking(self, query: str, count: int) -> tuple[list[Scored], Parts | None]:
        """Returns the best passages of a query, and what they were fused of; None: of nothing."""
        if self.words is None:
            (ranking,) = self.search.search(self.encode(query), count)
            return ranking, None
        wanted = max(count, FUSED_DEPTH)
        (ranking,) = self.search.search(self.encode(query), wanted)
        fused, parts = self.words.fused(query, ranking, wanted)
        return fused[:count], parts

    def _depth_to_retrieve(self, depth: int) -> int:
        return depth if self.relevance is None else depth_to_retrieve(depth, self.rerank_depth)

    def warm_up(self, depth: int) -> None:
        """Does once what a query of this depth needs, so that the first is as fast as the next.

        Raises DataError where it cannot be answered.
        """
        if self.relevance is not None:
            retrieved = self._depth_to_retrieve(depth)
            self.relevance.start(min(retrieved, len(self.collection)))
        self.answer(FIRST_QUERY, depth)


def load_retriever(
    checkpoint: Path,
    collection: Path | Sequence[Path],
    passage_vectors: Sequence[Path],
    max_memory: int,
    cross_encoder: Path | None = None,
    query_length: int | None = None,
    pair_length: int | None = None,
    check_vectors: bool = True,
    rerank_depth: int | None = None,
    index: Path | None = None,
    uri: str | None = None,
    milvus_collection: str = "rocketqa",
    bm25_index: Path | None = None,
    bm25_weight: float | None = None,
    cross_encoder_weight: float | None = None,
) -> Retriever:
    """Returns a retriever whose texts stay on disk.

    collection: the file that was encoded; of several encodings, that of each, in any order.
    max_memory: bytes of passage vectors in memory at a time. query_length, pair_length: tokens;
    None: as the checkpoints were trained. check_vectors: False where the caller compares the
    vectors, and the index, with their manifests (`VectorCheck`). rerank_depth: see Retriever.
    index: a folder that `rocketqa index` made of the vectors. uri, milvus_collection: where
    `rocketqa load` has put them. Without either the search is exact. bm25_index: a folder that
    `rocketqa bm25-index` made of the collection, which answers beside the vectors with
    `bm25_weight` (`Words`); None: the vectors answer alone. cross_encoder_weight: see Retriever.

    Raises DataError where a checkpoint is of another kind, where the vectors were made by another
    dual encoder or from another collection, the index of other vectors, where a length is beyond a
    model's positions, where there is nothing that re-ranks to a depth, and where a file is damaged.
    """
    refuse_without_cross_encoder(cross_encoder, rerank_depth, cross_encoder_weight)
    refuse_other_side(passage_vectors, COLLECTION)
    checked = (*passage_vectors, index, bm25_index) if check_vectors else ()
    refuse_damaged(cross_encoder, *checked)
    model_settings(checkpoint, DualEncoder.__name__)
    if cross_encoder is not None:
        model_settings(cross_encoder, CrossEncoder.__name__)
    opened = None
    if uri is not None:
        opened = open_collection(uri, milvus_collection, passage_vectors)
    passages = VectorStore(passage_vectors)
    _check_checkpoint(passages, checkpoint)
    texts = texts_of(passages, paths_in(collection))
    words = None
    if bm25_index is not None:
        left_out = left_out_by_file(passages, paths_in(collection))
        words = Words(Bm25Index(bm25_index, left_out), bm25_weight)
    warn_of_collapse(passages, "passages")
    relevance = None
    if cross_encoder is not None:
        relevance = Relevance(cross_encoder, pair_length)
    encode = _query_encoder(checkpoint, query_length, passages)
    search = _search_of(passages, passage_vectors, max_memory, index, opened)
    weight = cross_encoder_weight
    return Retriever(encode, search, texts, relevance, rerank_depth, words, weight)


def _search_of(
    passages: VectorStore,
    folders: Sequence[Path],
    max_memory: int,
    index: Path | None,
    opened: OpenCollection | None,
) -> Search:
    """Returns the search of the vectors in the folders: exact, or with an index of them."""
    if opened is not None:
        collection, record = opened
        return CandidateSearch(passages, MilvusCandidates(collection, record.made_with, passages))
    if index is None:
        return ExactSearch(passages, max_memory)
    read_record(index, folders)
    return CandidateSearch(passages, KeptIndex(index, passages))


def _check_checkpoint(passages: VectorStore, checkpoint: Path) -> None:
    """Raises DataError where the vectors are of another checkpoint, or where it is damaged.

    Vectors without a manifest may be of any.
    """
    if passages.job is None:
        refuse_damaged(checkpoint)
    elif passages.job["checkpoint"] != [digest(checkpoint)]:
        raise other_source(checkpoint, "checkpoint", passages.directories[0])
    else:
        _check_similarity(passages, checkpoint)


def _check_similarity(passages: VectorStore, checkpoint: Path) -> None:
    """Raises DataError where a checkpoint made the vectors before its similarity was followed."""
    assert passages.job is not None
    found = similarity_in(passages.job)
    expected = with_similarity_of(checkpoint).similarity
    if found != expected:
        raise DataError(
            f"{passages.directories[0]}: expected vectors for the similarity {expected} of "
            f"{checkpoint}, got those for {found}: encode again"
        )


def _query_encoder(
    checkpoint: Path, query_length: int | None, passages: VectorStore
) -> EncodeQuery:
    """Returns a function from a query to its vector, float32 [1, H].

    Raises DataError where the vectors of the passages have another size; the function raises it
    where a vector is not finite.
    """
    model, text_encoder = read_model(checkpoint, DualEncoder)
    length = _length(checkpoint, "query_length", query_length, model)
    if model.config.hidden_size != passages.size:
        raise DataError(
            f"{checkpoint}: expected vectors of size {passages.size}, as in "
            f"{passages.directories[0]}, got {model.config.hidden_size}: encode again"
        )
    engine = Engine(model.tower("query_encoder"))

    def encode(query: str) -> ndarray:
        vector = engine(text_encoder.queries([query], length))
        refuse_non_finite(vector, checkpoint, lambda _: f"the query {query!r}")
        return vector

    return encode


def _length(checkpoint: Path, name: str, given: int | None, model: StoredModel) -> int:
    """Returns the tokens at which texts are cut: those that were given, or else as trained."""
    length = length_within(checkpoint, name, given, model.config.max_position_embeddings)
    warn_of_other_length(checkpoint, name, length)
    return length
