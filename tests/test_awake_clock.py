"""A clock counts the time in which its process runs, and not a suspension."""

import time

from rocketqa.distributed.awake_clock import AwakeClock


def test_a_pause_counts_as_its_longest_share_and_the_rest_as_sleep():
    clock = AwakeClock(longest=0.05)
    time.sleep(0.3)
    assert clock.seconds() == 0.05
    assert clock.asleep() >= 0.24


def test_short_times_between_two_readings_count_in_full():
    clock = AwakeClock(longest=10.0)
    began = time.monotonic()
    time.sleep(0.02)
    assert 0.02 <= clock.seconds() <= time.monotonic() - began + 0.02
    assert clock.asleep() < 0.001
