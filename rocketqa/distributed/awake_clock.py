"""A clock that stands still while this process cannot run."""

import threading
import time


class AwakeClock:
    """Counts the seconds in which this process was awake.

    longest: at most so many seconds are counted between two readings. The thread of the watchdog
    reads the clock at each beat; where more have passed, this process could not run.
    """

    def __init__(self, longest: float):
        self._longest = longest
        self._seconds = 0.0
        self._made_at = self._read_at = time.monotonic()
        self._reading = threading.Lock()

    def seconds(self) -> float:
        """Returns the seconds since the clock was made."""
        with self._reading:
            now = time.monotonic()
            self._seconds += min(now - self._read_at, self._longest)
            self._read_at = now
            return self._seconds

    def asleep(self) -> float:
        """Returns the seconds in which this process could not run."""
        awake = self.seconds()
        return self._read_at - self._made_at - awake
