"""A schedule gives every example once an epoch, equally many to each device, and knows all its
steps.
"""

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.training.schedule import Schedule
from rocketqa.training.step_rows import examples_of_chunk

SCHEDULE = Schedule(examples=23, batch_size=2, devices=3, chunks=1, epochs=4, seed=7)


def batches_of(schedule: Schedule, epoch: int) -> list[list[int]]:
    """Returns the examples of each step of an epoch, device after device."""
    places = range(schedule.devices * schedule.chunks)
    begin = epoch * schedule.steps_per_epoch
    batches = []
    for step in range(begin, begin + schedule.steps_per_epoch):
        chunks = [examples_of_chunk(schedule, step, place).tolist() for place in places]
        batches.append(sum(chunks, []))
    return batches


def order_of(schedule: Schedule, epoch: int) -> list[int]:
    return sum(batches_of(schedule, epoch), [])


@pytest.mark.parametrize(
    "devices, chunks, batch_size", [(2, 1, 3), (3, 1, 2), (6, 1, 1), (1, 3, 2), (2, 3, 1)]
)
def test_many_devices_and_chunks_see_the_same_global_batches_as_one(devices, chunks, batch_size):
    one = SCHEDULE._replace(devices=1, batch_size=6)
    many = SCHEDULE._replace(devices=devices, chunks=chunks, batch_size=batch_size)
    assert one.total_steps == many.total_steps == 3 * 4
    for epoch in range(4):
        assert batches_of(many, epoch) == batches_of(one, epoch)


def test_every_device_has_a_full_batch_at_every_step():
    for step in range(SCHEDULE.total_steps):
        for rank in range(3):
            assert examples_of_chunk(SCHEDULE, step, rank).shape == (2,)


def test_an_epoch_has_every_example_at_most_once_and_drops_the_remainder():
    for epoch in range(4):
        seen = order_of(SCHEDULE, epoch)
        assert len(seen) == len(set(seen)) == 18
        assert set(seen) < set(range(23))
    whole = SCHEDULE._replace(examples=24)
    assert sorted(order_of(whole, 1)) == list(range(24))


def test_each_epoch_and_seed_has_an_order_of_its_own():
    orders = []
    for seed in (7, 8):
        schedule = SCHEDULE._replace(seed=seed)
        orders += [order_of(schedule, epoch) for epoch in range(4)]
    assert len({str(order) for order in orders}) == 8
    dropped = {frozenset(range(23)) - set(order) for order in orders}
    assert len(dropped) > 1
    assert order_of(SCHEDULE, 2) == orders[2]


def test_the_order_within_an_epoch_is_shuffled_over_all_examples():
    schedule = Schedule(examples=2000, batch_size=20, devices=1, chunks=1, epochs=1, seed=1)
    order = order_of(schedule, 0)
    assert sorted(order) == list(range(2000))
    assert abs(np.corrcoef(order, range(2000))[0, 1]) < 0.1
    assert 900 < np.mean(order[:500]) < 1100


@pytest.mark.parametrize(
    "epochs, min_steps, max_steps, steps",
    [(4, 12, None, 12), (4, 14, None, 14), (1, 14, None, 14), (4, 14, 13, 13), (0, 14, None, 0)],
)
def test_too_few_epochs_are_followed_by_further_ones_up_to_min_steps(
    epochs, min_steps, max_steps, steps
):
    schedule = SCHEDULE._replace(epochs=epochs, min_steps=min_steps, max_steps=max_steps)
    assert schedule.total_steps == steps
    for step in range(min(steps, 12)):
        examples = examples_of_chunk(schedule, step, 0).tolist()
        assert examples == examples_of_chunk(SCHEDULE, step, 0).tolist()


@pytest.mark.parametrize("max_steps, steps", [(None, 12), (5, 5), (100, 12)])
def test_max_steps_cut_the_training_short(max_steps, steps):
    assert SCHEDULE._replace(max_steps=max_steps).total_steps == steps


@pytest.mark.parametrize(
    "changed, line",
    [
        ({}, "23 examples, batch 2 x 3 devices = 6, 12 steps (3 an epoch, 5 examples dropped)"),
        (
            {"examples": 6, "max_steps": 2},
            "6 examples, batch 2 x 3 devices = 6, 2 steps (1 an epoch, 0 examples dropped)",
        ),
        (
            {"batch_size": 1, "chunks": 2},
            "23 examples, batch 1 x 3 devices x 2 chunks = 6, 12 steps "
            "(3 an epoch, 5 examples dropped)",
        ),
    ],
)
def test_the_log_line_counts_steps_and_dropped_examples(changed, line):
    assert SCHEDULE._replace(**changed).summary() == line


def test_too_few_examples_for_one_batch_are_refused():
    with pytest.raises(DataError) as error:
        SCHEDULE._replace(examples=5).summary()
    assert str(error.value) == "examples: expected at least one batch of 6 (2 x 3 devices), got 5"
