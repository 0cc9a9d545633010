"""Training examples -> chunks of packed rows, the input of one forward and backward pass.

Letters: B queries (or pairs) a chunk, P passages a query (the positive first).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import paddle

from rocketqa.cross_batch_negatives import DualChunk, KnownPositives
from rocketqa.cross_encoder import CrossChunk
from rocketqa.encoder.packing import PackedRows, pack
from rocketqa.files.collection import entry_with_id
from rocketqa.files.examples import LabelledPair, TrainingExample
from rocketqa.files.formats import Passage, Query
from rocketqa.text.tokenizer import TextEncoder, Tokens, text_or_tokens


class Batches(Protocol):
    """What the training loop asks of the examples."""

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the query of each of these examples, to name it where its loss is not finite."""
        ...

    def chunk(self, indices: np.ndarray) -> Any:
        """Returns the chunk of these examples, in their order."""
        ...


class DualBatches:
    """Rows of (query, positive, hard negatives) -> chunks for the dual encoder.

    positives: query_id -> passages that are excluded as negatives of it, beside the positives of
    its examples; None masks nothing. Raises DataError where an example names a query or passage
    that is not there.
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
    ):
        self.examples = examples
        self.queries = queries
        self.collection = collection
        self.encoder = encoder
        self.query_length = query_length
        self.passage_length = passage_length
        self.number_of: dict[str, int] = {}  # passage_id -> its number, where positives are masked
        self.positives: dict[str, list[int]] | None = None
        if positives is not None:
            self.number_of = {passage_id: n for n, passage_id in enumerate(collection)}
            self.positives = self._numbered(positives)

    def _numbered(self, positives: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
        """Returns query_id -> sorted numbers of its positives: the given ones and those of its
        examples.
        """
        numbers: dict[str, set[int]] = {}

        def add(query_id: str, passage_id: str) -> None:
            number = entry_with_id(self.number_of, passage_id, "passages")
            numbers.setdefault(query_id, set()).add(number)

        for query_id, passage_ids in positives.items():
            for passage_id in passage_ids:
                add(query_id, passage_id)
        for example in self.examples:
            add(example.query_id, example.positive_id)
        return {query_id: sorted(own) for query_id, own in numbers.items()}

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def passages_per_query(self) -> int:
        """Passages of each example, P; there is an example."""
        return 1 + len(self.examples[0].negative_ids)

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the queries of these examples."""
        return [self.examples[i].query_id for i in indices]

    def passage_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the passages of these examples, B*P: the positives, then all first hard
        negatives, then the second.
        """
        examples = [self.examples[i] for i in indices]
        passages_of_each = [(example.positive_id, *example.negative_ids) for example in examples]
        columns = zip(*passages_of_each)  # P times B
        return [passage_id for column in columns for passage_id in column]

    def chunk(self, indices: np.ndarray) -> DualChunk:
        """Returns the chunk of these examples."""
        query_ids = self.query_ids(indices)
        passage_ids = self.passage_ids(indices)
        queries = _query_texts(self.queries, query_ids)
        passages = _passages(self.collection, passage_ids)
        return DualChunk(
            pack(self.encoder.queries(queries, self.query_length)),
            pack(self.encoder.passages(passages, self.passage_length)),
            self._known_positives(query_ids, passage_ids),
        )

    def _known_positives(
        self, query_ids: Sequence[str], passage_ids: Sequence[str]
    ) -> KnownPositives | None:
        if self.positives is None:
            return None
        numbers = np.array([self.number_of[passage_id] for passage_id in passage_ids])
        return KnownPositives(numbers, [self.positives[query_id] for query_id in query_ids])


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
        pairs = [self.pairs[i] for i in indices]
        queries = _query_texts(self.queries, [pair.query_id for pair in pairs])
        passages = _passages(self.collection, [pair.passage_id for pair in pairs])
        rows = pack(self.encoder.pairs(queries, passages, self.max_length))
        labels = np.array([pair.label for pair in pairs], np.int64)
        return CrossChunk(rows, paddle.to_tensor(labels))


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
