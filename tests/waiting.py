"""Waiting for something that happens in another process or thread."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], seconds: float = 20) -> None:
    """Returns when `happened()` is true, and fails where that takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds} s"
        time.sleep(0.02)
