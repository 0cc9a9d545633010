"""The rows that each step of a training learns from, on one device.

Letters: N chunks a device, B examples a chunk.
"""

from typing import NamedTuple

import numpy as np

from rocketqa.training.batches import Batches, HostChunk
from rocketqa.training.schedule import Schedule


class StepRows(NamedTuple):
    """The rows of one step: the indices of its examples, [N*B], and its N prepared chunks."""

    indices: np.ndarray
    chunks: list[HostChunk]


class RowsOfSteps:
    """The rows of every step on one device.

    places: the numbers of its chunks among those of all devices.
    """

    def __init__(self, batches: Batches, schedule: Schedule, rank: int):
        self.batches = batches
        self.schedule = schedule
        first = rank * schedule.chunks
        self.places = range(first, first + schedule.chunks)

    def prepared(self, step: int) -> StepRows:
        """Returns the rows of a step. A thread calls it, so it does nothing with Paddle."""
        indices = [self.schedule.chunk(step, place) for place in self.places]
        chunks = [self.batches.prepared(of_chunk) for of_chunk in indices]
        return StepRows(np.concatenate(indices), chunks)
