"""The examples of each step of a training, in the order of the schedule, and their prepared rows.

Letters: N chunks a device, B examples a chunk.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rocketqa.jobs.seeds import generator
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
        indices = [examples_of_chunk(self.schedule, step, place) for place in self.places]
        chunks = [self.batches.prepared(of_chunk) for of_chunk in indices]
        return StepRows(np.concatenate(indices), chunks)


def examples_of_chunk(schedule: Schedule, step: int, place: int) -> np.ndarray:
    """Returns the indices of the examples of a chunk, [B]; `place` counts the chunks of all
    devices, 0 to A*N - 1.
    """
    epoch, step_of_epoch = divmod(step, schedule.steps_per_epoch)
    begin = step_of_epoch * schedule.batch + place * schedule.batch_size
    order = _order(schedule.seed, epoch, schedule.examples)
    return order[begin : begin + schedule.batch_size]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Returns the order of an epoch, a permutation of 0 to count - 1."""
    return generator(seed, "order", epoch).permutation(count)
