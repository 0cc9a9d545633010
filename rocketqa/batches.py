"""Training examples -> the packed rows of each step, for one device of many.

Every epoch is one seeded order of all examples; step s takes the next A*B of them and device r the r-th B of those.
All devices so have equally many full batches; the remainder of an epoch is dropped, another one in each epoch.
# Deviation: the released code deals the file's lines out to the devices once and shuffles within each.
"""
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import paddle

from rocketqa.chance import generator
from rocketqa.ernie import PackedRows, pack
from rocketqa.formats import DataError, LabelledPair, Passage, Query, TrainingExample
from rocketqa.tokenizer import TextEncoder


class Deal(NamedTuple):
    """How `examples` are dealt out: A devices, B examples a device, epochs; all steps are known before the first."""

    examples: int
    batch_size: int
    devices: int
    epochs: int
    max_steps: int | None
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return self.examples // (self.batch_size * self.devices)

    @property
    def total_steps(self) -> int:
        steps = self.steps_per_epoch * self.epochs
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def described(self) -> str:
        """Returns one line for the log; raises DataError where there is no full batch to train on."""
        batch = self.batch_size * self.devices
        if self.examples < batch:
            raise DataError(f"examples: expected at least one batch of {batch} ({self.batch_size} x {self.devices} "
                            f"devices), got {self.examples}")
        return (f"{self.examples} examples, batch {self.batch_size} x {self.devices} devices = {batch}, "
                f"{self.total_steps} steps ({self.steps_per_epoch} an epoch, {self.examples % batch} examples dropped)")

    def batch(self, step: int, rank: int) -> np.ndarray:
        """Returns the indices of a device's examples at a step, [B]."""
        epoch, place = divmod(step, self.steps_per_epoch)
        begin = (place * self.devices + rank) * self.batch_size
        return _order(self.seed, epoch, self.examples)[begin:begin + self.batch_size]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "order", epoch).permutation(count)


def known(texts: dict, key: str, what: str):
    """Returns the query or passage of an id. Raises DataError where the collection or the queries lack it."""
    if key not in texts:
        raise DataError(f"{what}: expected one with the id {key!r}, got none")
    return texts[key]


class DualBatches(NamedTuple):
    """Rows of (query, positive, hard negatives) -> packed queries [B] and passages [B*P], positives first."""

    examples: list[TrainingExample]
    queries: dict[str, Query]
    collection: dict[str, Passage]
    encoder: TextEncoder
    query_length: int
    passage_length: int

    def rows(self, indices: np.ndarray) -> tuple[PackedRows, PackedRows]:
        examples = [self.examples[i] for i in indices]
        texts = [known(self.queries, example.query_id, "queries").text for example in examples]
        positives = [example.positive_id for example in examples]
        hard_negatives = [negative_id for column in zip(*(example.negative_ids for example in examples))
                          for negative_id in column]
        passages = [known(self.collection, passage_id, "passages") for passage_id in positives + hard_negatives]
        return (pack(self.encoder.queries(texts, self.query_length)),
                pack(self.encoder.passages(passages, self.passage_length)))


class CrossBatches(NamedTuple):
    """Rows of (query, passage, label) -> packed pairs [B] and labels [B]."""

    pairs: list[LabelledPair]
    queries: dict[str, Query]
    collection: dict[str, Passage]
    encoder: TextEncoder
    max_length: int

    def rows(self, indices: np.ndarray) -> tuple[PackedRows, paddle.Tensor]:
        pairs = [self.pairs[i] for i in indices]
        texts = [known(self.queries, pair.query_id, "queries").text for pair in pairs]
        passages = [known(self.collection, pair.passage_id, "passages") for pair in pairs]
        labels = np.array([pair.label for pair in pairs], np.int64)
        return pack(self.encoder.pairs(texts, passages, self.max_length)), paddle.to_tensor(labels)


def by_token_budget(lengths: list[int], budget: int) -> list[list[int]]:
    """Returns the indices of rows in batches of similar length, each of at most `budget` tokens (or one row)."""
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        longest = lengths[index]
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
        batches[-1].append(index)
    return batches
