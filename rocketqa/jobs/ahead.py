"""Work that a thread does ahead, while earlier results are in use."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rocketqa.jobs.stopping import signals_wait

Argument = TypeVar("Argument")
Result = TypeVar("Result")

RESULTS_AHEAD = 2  # beyond the one that is asked for


@contextmanager
def made_ahead(
    make: Callable[[Argument], Result], arguments: Iterable[Argument]
) -> Iterator[Iterator[Result]]:
    """Gives an iterator over `make(argument)` of all arguments, in their order.

    One thread makes the next results meanwhile. An error of `make` is raised when its result is
    asked for, after all results before it. At the end of the context, also by an error or a signal,
    the thread finishes what it has begun, and ends.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        with signals_wait():
            thread.submit(int)  # starts it, so that no signal ever reaches it
        yield _results(thread, make, arguments)
    finally:
        thread.shutdown(cancel_futures=True)


def _results(
    thread: ThreadPoolExecutor,
    make: Callable[[Argument], Result],
    arguments: Iterable[Argument],
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for argument in arguments:
        waiting.append(thread.submit(make, argument))
        if len(waiting) > RESULTS_AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
