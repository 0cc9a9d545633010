"""Training examples -> chunks of packed rows, the input of one forward and backward pass.

A chunk is made in two steps: a thread prepares its rows as arrays, without Paddle, while the device
is busy with earlier ones; then they are copied to the device.

Letters: B queries (or pairs) a chunk, P passages a query (the positive first).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np

from rocketqa.cross_batch_negatives import DualChunk
from rocketqa.cross_encoder import CrossChunk
from rocketqa.distillation import padded
from rocketqa.distributed.device_copies import to_device
from rocketqa.encoder.packing import HostRows, PackedRows, pack_on_host
from rocketqa.files.collection import entry_with_id, require_entry
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.text.tokenizer import TextEncoder, Tokens, text_or_tokens
from rocketqa.training.known_positives import EMPTY_PLACE, KnownPositives

NO_IDS = np.array([], np.int64)


class HostChunk(Protocol):
    """The prepared rows of a chunk."""

    def on_device(self) -> Any:
        """Returns the chunk, on the device that computes."""
        ...


class HostDualChunk(NamedTuple):
    """What a DualChunk holds, as arrays."""

    queries: HostRows
    passages: HostRows
    known_positives: KnownPositives | None
    places: np.ndarray | None
    teacher: np.ndarray | None = None

    def on_device(self) -> DualChunk:
        """Returns the chunk, on the device that computes."""
        return DualChunk(
            self.queries.on_device(),
            self.passages.on_device(),
            self.known_positives,
            None if self.places is None else to_device(self.places),
            None if self.teacher is None else to_device(self.teacher),
        )


class HostCrossChunk(NamedTuple):
    """What a CrossChunk holds, as arrays."""

    pairs: HostRows
    labels: np.ndarray

    def on_device(self) -> CrossChunk:
        """Returns the chunk, on the device that computes."""
        return CrossChunk(self.pairs.on_device(), to_device(self.labels))


class Batches(Protocol):
    """What the training loop asks of the examples."""

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the query of each of these examples, to name it where its loss is not finite."""
        ...

    def prepared(self, indices: np.ndarray) -> HostChunk:
        """Returns the rows of these examples, in their order; it is called in a thread."""
        ...


class DualBatches:
    """Rows of (query, positive, hard negatives) -> chunks for the dual encoder.

    Every row has P places for passages, as many as the longest row needs; a row with fewer
    negatives has empty places, which are no candidates. positives: query_id -> passages that are
    excluded as negatives of it, beside the positives of its examples, and copies of all these under
    other ids; None masks nothing. teacher: the cross encoder's logits of each example, which its
    chunks hold; None: nothing is distilled. Raises DataError where an example or `positives` names
    a query or passage that is not there.
    """

    def __init__(
        self,
        examples: Sequence[TrainingExample],
        queries: Mapping[str, Query | Tokens],
        collection: Mapping[str, Passage | Tokens],
        encoder: TextEncoder,
        query_length: int,
        passage_length: int,
        positives: Mapping[str, Sequence[str]] | None = None,
        teacher: Sequence[np.ndarray] | None = None,
    ):
        self.examples = examples
        self.teacher = teacher
        self.queries = queries
        self.collection = collection
        self.encoder = encoder
        self.query_length = query_length
        self.passage_length = passage_length
        counts = {len(example.negative_ids) for example in examples}
        self.passages_per_query = 1 + max(counts, default=0)  # P
        self.fewest_passages = 1 + min(counts, default=0)  # of a query
        self.has_empty_places = self.fewest_passages < self.passages_per_query
        self.positives: dict[str, set[str]] | None = None
        if positives is not None:
            self.positives = self._with_those_of_examples(positives)
        self._number_of: dict[str, int] = {}  # passage_id of a positive -> its number

    def _with_those_of_examples(
        self, positives: Mapping[str, Sequence[str]]
    ) -> dict[str, set[str]]:
        """Returns query_id -> its positives: the given ones and those of its examples."""
        joined: dict[str, set[str]] = {}
        for query_id, passage_ids in positives.items():
            joined[query_id] = set(passage_ids)
        for example in self.examples:
            joined.setdefault(example.query_id, set()).add(example.positive_id)
        for own in joined.values():
            for passage_id in own:
                require_entry(self.collection, passage_id, "passages")
        return joined

    def __len__(self) -> int:
        return len(self.examples)

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the queries of these examples."""
        return [self.examples[i].query_id for i in indices]

    def passage_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the passages of these examples, B*P without the empty places: the positives, then
        all first hard negatives, then the second.
        """
        places = self._places(indices)
        return [passage_id for passage_id in places if passage_id is not None]

    def _places(self, indices: np.ndarray) -> list[str | None]:
        """Returns the passage at each place of these examples, [B*P]; None at an empty place."""
        rows = []
        for i in indices:
            example = self.examples[i]
            row: list[str | None] = [example.positive_id, *example.negative_ids]
            row += [None] * (self.passages_per_query - len(row))
            rows.append(row)
        columns = zip(*rows)  # P times B
        return list(chain.from_iterable(columns))

    def chunk(self, indices: np.ndarray) -> DualChunk:
        """Returns the chunk of these examples."""
        return self.prepared(indices).on_device()

    def prepared(self, indices: np.ndarray) -> HostDualChunk:
        """Returns the rows of these examples; it is called in a thread."""
        query_ids = self.query_ids(indices)
        passage_ids = self.passage_ids(indices)
        queries = _query_texts(self.queries, query_ids)
        passages = self.encoder.tokens(_passages(self.collection, passage_ids))
        rows = None
        if self.has_empty_places:
            rows = _rows_of_places(self._places(indices))
        return HostDualChunk(
            pack_on_host(self.encoder.queries(queries, self.query_length)),
            pack_on_host(self.encoder.passages(passages, self.passage_length)),
            self._known_positives(query_ids, passages, rows),
            rows,
            self._teacher(indices),
        )

    def _teacher(self, indices: np.ndarray) -> np.ndarray | None:
        """Returns the teacher's logits of these examples, float32 [B, P]."""
        if self.teacher is None:
            return None
        return padded([self.teacher[i] for i in indices], self.passages_per_query)

    def _known_positives(
        self, query_ids: Sequence[str], passages: Sequence[Tokens], rows: np.ndarray | None
    ) -> KnownPositives | None:
        """Returns what is masked in a chunk: known positives and their copies, and empty places.

        rows: the number of the passage at each place, where some are empty.
        """
        if self.positives is None and rows is None:
            return None
        numbers = np.zeros(len(passages), np.int64)
        masked: list[list[int]] = [[] for _ in query_ids]
        if self.positives is not None:
            numbers = np.array([copy_number(passage) for passage in passages], np.int64)
            masked = [self._numbers_of_positives(query_id) for query_id in query_ids]
        if rows is not None:
            numbers = np.append(numbers, EMPTY_PLACE)[rows]
            masked = [[EMPTY_PLACE, *own] for own in masked]
        return KnownPositives(numbers, masked)

    def _numbers_of_positives(self, query_id: str) -> list[int]:
        """Returns the numbers of the known positives of a query, sorted."""
        assert self.positives is not None
        passage_ids = self.positives[query_id]
        missing = [key for key in passage_ids if key not in self._number_of]
        tokens = self.encoder.tokens(_passages(self.collection, missing))
        for passage_id, passage in zip(missing, tokens):
            self._number_of[passage_id] = copy_number(passage)
        return sorted({self._number_of[passage_id] for passage_id in passage_ids})


def copy_number(passage: Tokens) -> int:
    """Returns 63 bits that depend on the tokens of a title and a text alone, not on the id.

    So copies of a passage have the same number.
    """
    digest = hashlib.blake2b(digest_size=8)
    for ids in (NO_IDS if passage.title is None else passage.title, passage.text):
        digest.update(len(ids).to_bytes(8, "little"))
        digest.update(ids.astype(np.int64).tobytes())
    return int.from_bytes(digest.digest(), "little") >> 1


def _rows_of_places(places: Sequence[str | None]) -> np.ndarray:
    """Returns the number of the passage at each place; at an empty place, how many there are."""
    is_there = np.array([passage_id is not None for passage_id in places])
    numbers = np.cumsum(is_there) - 1
    return np.where(is_there, numbers, is_there.sum())


class CrossBatches:
    """Rows of (query, passage, label) -> chunks for the cross encoder. Raises DataError as
    DualBatches does.
    """

    def __init__(
        self,
        pairs: Sequence[LabelledPair],
        queries: Mapping[str, Query | Tokens],
        collection: Mapping[str, Passage | Tokens],
        encoder: TextEncoder,
        max_length: int,
    ):
        self.pairs = pairs
        self.queries = queries
        self.collection = collection
        self.encoder = encoder
        self.max_length = max_length

    def __len__(self) -> int:
        return len(self.pairs)

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the queries of these pairs."""
        return [self.pairs[i].query_id for i in indices]

    def chunk(self, indices: np.ndarray) -> CrossChunk:
        """Returns the chunk of these pairs."""
        return self.prepared(indices).on_device()

    def prepared(self, indices: np.ndarray) -> HostCrossChunk:
        """Returns the rows of these pairs; it is called in a thread."""
        pairs = [self.pairs[i] for i in indices]
        queries = _query_texts(self.queries, [pair.query_id for pair in pairs])
        passages = _passages(self.collection, [pair.passage_id for pair in pairs])
        rows = pack_on_host(self.encoder.pairs(queries, passages, self.max_length))
        labels = np.array([pair.label for pair in pairs], np.int64)
        return HostCrossChunk(rows, labels)


def _query_texts(
    queries: Mapping[str, Query | Tokens], query_ids: Iterable[str]
) -> list[str | Tokens]:
    return [text_or_tokens(entry_with_id(queries, key, "queries")) for key in query_ids]


def _passages(
    collection: Mapping[str, Passage | Tokens], passage_ids: Iterable[str]
) -> list[Passage | Tokens]:
    return [entry_with_id(collection, key, "passages") for key in passage_ids]


def token_counts(chunk: Iterable[Any]) -> tuple[int, int]:
    """Returns how many tokens a chunk has, and how many it would have if each input were padded to
    its longest row.
    """
    tokens = padded = 0
    for part in chunk:
        if isinstance(part, PackedRows):
            longest = max(length for _, length in part.groups)
            tokens += part.token_ids.shape[0]
            padded += part.first.shape[0] * longest
    return tokens, padded
