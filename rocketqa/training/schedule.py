"""The schedule of a training: steps, epochs and the order of the examples. It needs no Paddle."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.jobs.seeds import generator


class Schedule(NamedTuple):
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
            raise DataError(
                f"examples: expected at least one batch of {self.batch} ({factors}), got {self.examples}"
            )
        return (
            f"{self.examples} examples, batch {factors} = {self.batch}, {self.total_steps} steps "
            f"({self.steps_per_epoch} an epoch, {self.examples % self.batch} examples dropped)"
        )

    def chunk(self, step: int, place: int) -> np.ndarray:
        """Returns the indices of a step's chunk at a place, 0 to A*N - 1: [B]."""
        epoch, step_of_epoch = divmod(step, self.steps_per_epoch)
        begin = step_of_epoch * self.batch + place * self.batch_size
        return _order(self.seed, epoch, self.examples)[begin : begin + self.batch_size]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "order", epoch).permutation(count)
