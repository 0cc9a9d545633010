"""Training examples -> the packed rows of each step, for one device of many.

Every epoch is one seeded order of all examples; step s takes the next A*N*B of them, device r the r-th N*B of those.
All devices so have equally many full batches; the remainder of an epoch is dropped, another one in each epoch.
# Deviation: the released code deals the file's lines out to the devices once and shuffles within each.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import paddle

from rocketqa.cross_batch_negatives import KnownPositives
from rocketqa.encoder.packing import PackedRows, pack
from rocketqa.files.collection import known
from rocketqa.files.formats import LabelledPair, Passage, Query, TrainingExample
from rocketqa.text.tokenizer import TextEncoder, Tokens, text_of


class DualRows(NamedTuple):
    """A chunk for the dual encoder: queries [B], passages [B*P] (positives first), what masking needs (or None)."""

    queries: PackedRows
    passages: PackedRows
    known_positives: KnownPositives | None


class DualBatches:
    """Rows of (query, positive, hard negatives) -> packed queries and passages."""

    def __init__(
        self,
        examples: list[TrainingExample],
        queries: Mapping[str, Query | Tokens],
        collection: Mapping[str, Passage | Tokens],
        encoder: TextEncoder,
        query_length: int,
        passage_length: int,
        positives: dict[str, list[str]] | None = None,
    ):
        """`positives`: query_id -> passages that are none of its negatives (its examples' join them); None: no mask."""
        self.examples, self.queries, self.collection, self.encoder = (
            examples,
            queries,
            collection,
            encoder,
        )
        self.query_length, self.passage_length = query_length, passage_length
        self.positives = None if positives is None else self._numbered(positives)

    def _numbered(self, positives: dict[str, list[str]]) -> dict[str, set[int]]:
        self.number_of = {passage_id: number for number, passage_id in enumerate(self.collection)}
        numbered: dict[str, set[int]] = {}
        pairs = [
            (query_id, passage_id)
            for query_id, known_ids in positives.items()
            for passage_id in known_ids
        ]
        for query_id, passage_id in pairs + [example[:2] for example in self.examples]:
            numbered.setdefault(query_id, set()).add(known(self.number_of, passage_id, "passages"))
        return numbered

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns whose queries these examples are."""
        return [self.examples[i].query_id for i in indices]

    def passage_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the passages of these examples: the positives, then the first hard negatives, then the second."""
        columns = zip(
            *((self.examples[i].positive_id, *self.examples[i].negative_ids) for i in indices)
        )
        return [passage_id for column in columns for passage_id in column]

    def rows(self, indices: np.ndarray) -> DualRows:
        """Returns the chunk of these examples."""
        examples = [self.examples[i] for i in indices]
        texts = [text_of(known(self.queries, example.query_id, "queries")) for example in examples]
        passage_ids = self.passage_ids(indices)
        passages = [known(self.collection, passage_id, "passages") for passage_id in passage_ids]
        known_positives = (
            None
            if self.positives is None
            else KnownPositives(
                np.array([self.number_of[passage_id] for passage_id in passage_ids]),
                [sorted(self.positives[example.query_id]) for example in examples],
            )
        )
        return DualRows(
            pack(self.encoder.queries(texts, self.query_length)),
            pack(self.encoder.passages(passages, self.passage_length)),
            known_positives,
        )


class CrossBatches(NamedTuple):
    """Rows of (query, passage, label) -> packed pairs [B] and labels [B]."""

    pairs: list[LabelledPair]
    queries: Mapping[str, Query | Tokens]
    collection: Mapping[str, Passage | Tokens]
    encoder: TextEncoder
    max_length: int

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns whose queries these pairs are."""
        return [self.pairs[i].query_id for i in indices]

    def rows(self, indices: np.ndarray) -> tuple[PackedRows, paddle.Tensor]:
        """Returns the chunk of these pairs."""
        pairs = [self.pairs[i] for i in indices]
        texts = [text_of(known(self.queries, pair.query_id, "queries")) for pair in pairs]
        passages = [known(self.collection, pair.passage_id, "passages") for pair in pairs]
        labels = np.array([pair.label for pair in pairs], np.int64)
        return pack(self.encoder.pairs(texts, passages, self.max_length)), paddle.to_tensor(labels)


def tokens_of(chunk: tuple) -> tuple[int, int]:
    """Returns how many tokens a chunk has, and how many it would have padded to its longest rows."""
    packed = [part for part in chunk if isinstance(part, PackedRows)]
    return (
        sum(rows.token_ids.shape[0] for rows in packed),
        sum(rows.first.shape[0] * max(length for _, length in rows.groups) for rows in packed),
    )
