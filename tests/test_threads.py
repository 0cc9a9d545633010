"""Threads give the outputs of all batches in their order, and hold few of them."""

import threading

import numpy as np
import pytest
from tiny_encoders import rows_of_lengths

from rocketqa.inference.threads import BATCHES_AHEAD, Threads


def token_sum(rows):
    return np.array([row.token_ids.sum() for row in rows])


def test_outputs_are_in_the_order_of_the_batches():
    batches = [rows_of_lengths(*range(1, 2 + number % 7)) for number in range(30)]
    outputs = list(Threads(3, token_sum).run(iter(batches)))
    assert [output.tolist() for output in outputs] == [token_sum(rows).tolist() for rows in batches]


def test_a_caller_that_stops_takes_few_batches_and_ends_those_that_wait():
    taken: list[int] = []
    computed: list[int] = []
    permits = threading.Semaphore(1)

    def batches():
        for number in range(1000):
            taken.append(number)
            yield rows_of_lengths(number + 1)

    def sum_with_permit(rows):
        permits.acquire()
        computed.append(len(rows))
        return token_sum(rows)

    workers = Threads(2, sum_with_permit)
    outputs = workers.run(batches())
    next(outputs)  # one thread waits with its batch, the other one with its second batch
    outputs.close()
    permits.release(10)
    workers._pool.shutdown()
    assert len(taken) == 2 * BATCHES_AHEAD + 1
    assert len(computed) <= 3


def test_an_error_in_a_thread_reaches_the_caller():
    def fail(rows):
        raise ValueError("no vector")

    with pytest.raises(ValueError, match="no vector"):
        list(Threads(2, fail).run([rows_of_lengths(3)] * 5))
