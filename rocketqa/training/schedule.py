"""The schedule of a training: how many steps it takes, and how many examples. It needs no Paddle.

Every epoch is one seeded order of all examples. A step takes the next A*N*B of them: device r takes
the r-th N*B of those, as N chunks of B examples. So all devices get the same number of full
batches. Examples that are left over at the end of an epoch are dropped; which ones differs by
epoch. `rocketqa plan` counts with the same schedule.
# Deviation: the released code deals the lines of the file out to the devices once, and shuffles
within each device.
"""

from typing import NamedTuple

from rocketqa.files.errors import DataError


class Schedule(NamedTuple):
    """Steps and their examples: `devices` A, `chunks` N on each device, `batch_size` B examples in
    a chunk.

    Chunk n of device r has the examples that device r*N + n of A*N devices would have, so that
    fewer devices with more chunks see the same batches.
    # Deviation: where the epochs give fewer steps than `min_steps`, further epochs follow; a
    switch, 0 by default.
    """

    examples: int
    batch_size: int
    devices: int
    chunks: int
    epochs: int
    min_steps: int = 0
    max_steps: int | None = None
    seed: int = 0

    @property
    def batch(self) -> int:
        """Examples of a step on all devices, A*N*B."""
        return self.batch_size * self.chunks * self.devices

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the examples."""
        return self.examples // self.batch

    @property
    def steps_of_epochs(self) -> int:
        """Steps that the epochs give, before `min_steps` and `max_steps` are looked at."""
        return self.steps_per_epoch * self.epochs

    @property
    def total_steps(self) -> int:
        """Steps that the training takes; without epochs none, whatever `min_steps` says."""
        steps = self.steps_of_epochs
        if self.epochs:
            steps = max(steps, self.min_steps)
        if self.max_steps is not None:
            steps = min(steps, self.max_steps)
        return steps

    def factors(self) -> str:
        """Returns the factors of a batch, such as `512 x 8` or `512 x 1 x 8 chunks`."""
        text = f"{self.batch_size} x {self.devices}"
        return f"{text} x {self.chunks} chunks" if self.chunks > 1 else text

    def summary(self) -> str:
        """Returns one line for the log. Raises DataError where there are too few examples for one
        batch.
        """
        factors = f"{self.batch_size} x {self.devices} devices"
        if self.chunks > 1:
            factors += f" x {self.chunks} chunks"
        if self.examples < self.batch:
            raise DataError(
                f"examples: expected at least one batch of {self.batch} ({factors}), "
                f"got {self.examples}"
            )
        dropped = self.examples % self.batch
        return (
            f"{self.examples} examples, batch {factors} = {self.batch}, {self.total_steps} steps "
            f"({self.steps_per_epoch} an epoch, {dropped} examples dropped)"
        )
