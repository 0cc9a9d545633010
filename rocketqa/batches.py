"""Training examples -> the packed rows of each step, for one device of many.

Every epoch is one seeded order of all examples; step s takes the next A*N*B of them, device r the r-th N*B of those.
All devices so have equally many full batches; the remainder of an epoch is dropped, another one in each epoch.
# Deviation: the released code deals the file's lines out to the devices once and shuffles within each.
"""
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import paddle

from rocketqa.chance import generator
from rocketqa.cross_batch_negatives import KnownPositives
from rocketqa.ernie import PackedRows, pack
from rocketqa.formats import DataError, LabelledPair, Passage, Query, TrainingExample
from rocketqa.tokenizer import TextEncoder, Tokens


class Deal(NamedTuple):
    """How `examples` are dealt out: A devices, N chunks a device, B examples a chunk, epochs; all steps are known.

    # Deviation: where the epochs are fewer than `min_steps`, further ones follow, the last cut short; a switch.

    Chunk n of device r is dealt what the device r*N + n of A*N would be: fewer devices see the same batches.
    """

    examples: int
    batch_size: int
    devices: int
    chunks: int
    epochs: int
    min_steps: int
    max_steps: int | None
    seed: int

    @property
    def batch(self) -> int:
        """The queries or pairs of a step, on all devices."""
        return self.batch_size * self.chunks * self.devices

    @property
    def steps_per_epoch(self) -> int:
        return self.examples // self.batch

    @property
    def total_steps(self) -> int:
        steps = max(self.steps_per_epoch * self.epochs, self.min_steps if self.epochs else 0)
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def described(self) -> str:
        """Returns one line for the log; raises DataError where there is no full batch to train on."""
        factors = f"{self.batch_size} x {self.devices} devices"
        factors += f" x {self.chunks} chunks" if self.chunks > 1 else ""
        if self.examples < self.batch:
            raise DataError(f"examples: expected at least one batch of {self.batch} ({factors}), got {self.examples}")
        return (f"{self.examples} examples, batch {factors} = {self.batch}, {self.total_steps} steps "
                f"({self.steps_per_epoch} an epoch, {self.examples % self.batch} examples dropped)")

    def chunk(self, step: int, place: int) -> np.ndarray:
        """Returns the indices of a step's chunk at a place, 0 to A*N - 1: [B]."""
        epoch, step_of_epoch = divmod(step, self.steps_per_epoch)
        begin = step_of_epoch * self.batch + place * self.batch_size
        return _order(self.seed, epoch, self.examples)[begin:begin + self.batch_size]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "order", epoch).permutation(count)


def known(texts: Mapping, key: str, what: str):
    """Returns the query or passage of an id. Raises DataError where the collection or the queries lack it."""
    if key not in texts:
        raise DataError(f"{what}: expected one with the id {key!r}, got none")
    return texts[key]


def text_of(query: Query | Tokens) -> str | Tokens:
    """Returns what the TextEncoder takes of a query."""
    return query if isinstance(query, Tokens) else query.text


class DualRows(NamedTuple):
    """A chunk for the dual encoder: queries [B], passages [B*P] (positives first), what masking needs (or None)."""

    queries: PackedRows
    passages: PackedRows
    known_positives: KnownPositives | None


class DualBatches:
    """Rows of (query, positive, hard negatives) -> packed queries and passages."""

    def __init__(self, examples: list[TrainingExample], queries: Mapping[str, Query | Tokens],
                 collection: Mapping[str, Passage | Tokens], encoder: TextEncoder, query_length: int,
                 passage_length: int, positives: dict[str, list[str]] | None = None):
        """`positives`: query_id -> passages that are none of its negatives (its examples' join them); None: no mask."""
        self.examples, self.queries, self.collection, self.encoder = examples, queries, collection, encoder
        self.query_length, self.passage_length = query_length, passage_length
        self.positives = None if positives is None else self._numbered(positives)

    def _numbered(self, positives: dict[str, list[str]]) -> dict[str, set[int]]:
        self.number_of = {passage_id: number for number, passage_id in enumerate(self.collection)}
        numbered: dict[str, set[int]] = {}
        pairs = [(query_id, passage_id) for query_id, known_ids in positives.items() for passage_id in known_ids]
        for query_id, passage_id in pairs + [example[:2] for example in self.examples]:
            numbered.setdefault(query_id, set()).add(known(self.number_of, passage_id, "passages"))
        return numbered

    def query_ids(self, indices: np.ndarray) -> list[str]:
        """Returns whose queries these examples are."""
        return [self.examples[i].query_id for i in indices]

    def passage_ids(self, indices: np.ndarray) -> list[str]:
        """Returns the passages of these examples: the positives, then the first hard negatives, then the second."""
        columns = zip(*((self.examples[i].positive_id, *self.examples[i].negative_ids) for i in indices))
        return [passage_id for column in columns for passage_id in column]

    def rows(self, indices: np.ndarray) -> DualRows:
        """Returns the chunk of these examples."""
        examples = [self.examples[i] for i in indices]
        texts = [text_of(known(self.queries, example.query_id, "queries")) for example in examples]
        passage_ids = self.passage_ids(indices)
        passages = [known(self.collection, passage_id, "passages") for passage_id in passage_ids]
        known_positives = None if self.positives is None else KnownPositives(
            np.array([self.number_of[passage_id] for passage_id in passage_ids]),
            [sorted(self.positives[example.query_id]) for example in examples])
        return DualRows(pack(self.encoder.queries(texts, self.query_length)),
                        pack(self.encoder.passages(passages, self.passage_length)), known_positives)


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
    return (sum(rows.token_ids.shape[0] for rows in packed),
            sum(rows.first.shape[0] * max(length for _, length in rows.groups) for rows in packed))


def by_token_budget(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Returns the places of rows in batches of similar length, each of at most `budget` tokens (or one row)."""
    order, begins = plan_batches(np.asarray(lengths), budget)
    return [order[begin:end] for begin, end in zip(begins, begins[1:])]


def plan_batches(lengths: np.ndarray, budget: int) -> tuple[np.ndarray, list[int]]:
    """Returns the places of rows by length, and where in that order each batch begins; the last number is the end."""
    order = np.argsort(lengths, kind="stable")
    begins = [0] if len(order) else []
    for row, length in enumerate(lengths[order].tolist()):
        if (row - begins[-1] + 1) * length > budget and row > begins[-1]:
            begins.append(row)
    return order, [*begins, len(order)]
