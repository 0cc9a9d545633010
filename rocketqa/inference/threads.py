"""The threads that compute for an engine whose kernels do not hold Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from rocketqa.text.tokenizer import Encoding

BATCHES_AHEAD = 2  # of each thread, in its queue or finished


class Threads:
    """Threads that run a function on batches of rows; they share all that it holds."""

    def __init__(self, threads: int, run: Callable[[Sequence[Encoding]], np.ndarray]):
        self._run = run
        self._most_waiting = BATCHES_AHEAD * threads
        self._pool = ThreadPoolExecutor(threads)

    def wait_for_start(self) -> None:
        """Returns at once: threads have nothing to load."""

    def run(self, batches: Iterable[Sequence[Encoding]]) -> Iterator[np.ndarray]:
        """Yields the output for each batch, in their order. Few batches are in memory at a time."""
        waiting: deque[Future[np.ndarray]] = deque()
        try:
            for rows in batches:
                waiting.append(self._pool.submit(self._run, rows))
                if len(waiting) > self._most_waiting:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # where the caller stops early
                future.cancel()
