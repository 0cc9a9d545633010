"""The batch size at which a contender is fastest, found on the machine and the texts themselves."""

import time
from collections.abc import Callable

from rocketqa.benchmark.workload import Round

BATCH_SIZES = (32, 8, 16, 64)  # 32 is the usual default


def fastest(round_of_size: Callable[[int], Round]) -> Round:
    """Returns the fastest of the rounds that a function makes for each of the BATCH_SIZES.

    Each is done once, after one round that warms up.
    """
    rounds = [round_of_size(size) for size in BATCH_SIZES]
    rounds[0]()
    return min(rounds, key=_seconds)


def _seconds(do_round: Round) -> float:
    begin = time.perf_counter()
    do_round()
    return time.perf_counter() - begin
