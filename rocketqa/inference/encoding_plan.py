"""Which rows an encoding puts into which batches and shards. It needs no Paddle.

All rows are sorted by length and cut into batches; a shard is a run of whole batches. The batches
do not depend on the number of shards, processes or machines, so a row always has the same vector.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.encoder.batch_plan import plan_batches

SHARD_ROWS = 25_000  # rows of a shard, where the user does not choose
FEWEST_COLLECTION_SHARDS = 8


class Part(NamedTuple):
    """Part `number` of `parts` of the shards, counted from 1: what one machine of several makes."""

    number: int = 1
    parts: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Returns the part that `I/N` names. Raises ValueError where it names none."""
        number, _, parts = text.partition("/")
        part = cls(int(number), int(parts))
        if not 1 <= part.number <= part.parts:
            raise ValueError(f"expected I/N with 1 <= I <= N, got {text}")
        return part

    def of(self, total: int) -> range:
        """Returns the numbers, from 0 to total - 1, that belong to this part."""
        begin = total * (self.number - 1) // self.parts
        return range(begin, total * self.number // self.parts)


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """What is encoded, and how; see `rocketqa encode --help`.

    source: a file of texts, or the folder of its tokens. kind: COLLECTION or QUERIES. max_length
    and batch_tokens are in tokens. part: the part of the shards that is made here.
    """

    checkpoint: Path
    source: Path
    kind: str
    max_length: int
    batch_tokens: int
    num_shards: int | None = None
    part: Part = Part()
    dtype: str = "float32"
    precision: str = "float32"


class EncodingPlan:
    """The batches of all rows and the shards that they form.

    lengths: tokens of each row, int32 [rows]. batch_tokens: tokens of a batch, padding included, at
    most. num_shards: the number that the user asks for; None chooses one by the number of rows.
    is_collection: a collection has several shards; queries have one, so that a run keeps the order
    of their file.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_tokens: int,
        num_shards: int | None = None,
        is_collection: bool = True,
    ):
        self.order, self.bounds = plan_batches(lengths, batch_tokens)
        self.batches = len(self.bounds) - 1
        if num_shards is None:
            fewest = FEWEST_COLLECTION_SHARDS if is_collection else 1
            full_shards = -(-len(lengths) // SHARD_ROWS)
            num_shards = max(fewest, full_shards)
        self.shards = min(num_shards, self.batches)

    def _batches_of(self, shard: int) -> range:
        first = self.batches * shard // self.shards
        return range(first, self.batches * (shard + 1) // self.shards)

    def rows_in(self, shard: int) -> int:
        """Returns how many rows a shard has."""
        batches = self._batches_of(shard)
        return self.bounds[batches.stop] - self.bounds[batches.start]

    def places_in(self, shards: range) -> np.ndarray:
        """Returns the places in the store of all rows of neighbouring shards, int64 [rows]."""
        if not shards:
            return self.order[:0]
        first = self._batches_of(shards[0])
        last = self._batches_of(shards[-1])
        return self.order[self.bounds[first.start] : self.bounds[last.stop]]

    def batches_in(self, shard: int) -> list[list[int]]:
        """Returns the batches of a shard: the places of their rows in the store."""
        batches = []
        for batch in self._batches_of(shard):
            places = self.order[self.bounds[batch] : self.bounds[batch + 1]]
            batches.append(places.tolist())
        return batches
