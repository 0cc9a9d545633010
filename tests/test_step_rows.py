"""Each device prepares the chunks of its own places, as the schedule says."""

import numpy as np

from rocketqa.training.schedule import Schedule
from rocketqa.training.step_rows import RowsOfSteps, examples_of_chunk

SCHEDULE = Schedule(examples=24, batch_size=2, devices=3, chunks=2, epochs=2, seed=5)


class NumberedBatches:
    """Batches whose prepared chunks are the indices of their examples."""

    def prepared(self, indices):
        return indices


def test_the_devices_together_prepare_the_batch_of_the_schedule():
    for step in range(SCHEDULE.total_steps):
        of_devices = [RowsOfSteps(NumberedBatches(), SCHEDULE, rank) for rank in range(3)]
        rows = [of_device.prepared(step) for of_device in of_devices]
        expected = [examples_of_chunk(SCHEDULE, step, place) for place in range(6)]
        for rank, own in enumerate(rows):
            assert list(of_devices[rank].places) == [2 * rank, 2 * rank + 1]
            np.testing.assert_array_equal(own.chunks, expected[2 * rank : 2 * rank + 2])
            np.testing.assert_array_equal(own.indices, np.concatenate(own.chunks))
