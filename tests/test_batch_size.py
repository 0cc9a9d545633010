"""A contender works at the batch size that was the fastest on this machine."""

import time

from rocketqa.benchmark.batch_size import BATCH_SIZES, fastest


def test_the_fastest_size_is_chosen_and_the_first_warms_up():
    done = []

    def round_of_size(size):
        def do_round():
            is_first = not done
            done.append(size)
            time.sleep(0.05 if is_first or size != 16 else 0)
            return size

        return do_round

    assert fastest(round_of_size)() == 16
    assert done == [BATCH_SIZES[0], *BATCH_SIZES, 16]
