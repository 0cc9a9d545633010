"""The processes that compute for an engine on a CPU. This module loads Paddle only in them.

They are processes because Paddle Inference computes in one thread of a process only. No signal
reaches them: the process that they work for ends them, and they die where it dies, or where its
thread ends that has started them. Where one dies alone (killed, or out of memory), another takes
its place and its batches.
"""

import multiprocessing
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import numpy as np

from rocketqa.distributed.paddle_import import expect_import
from rocketqa.files.errors import DataError
from rocketqa.jobs.parents import die_with
from rocketqa.jobs.stopping import is_requested, signals_wait
from rocketqa.text.tokenizer import Encoding

BATCHES_AHEAD = 4  # of each process, in its queue or finished
MOST_DEATHS = 3  # of processes over one batch

Rows = Sequence[Encoding]
Output = np.ndarray


class Workers:
    """Processes that run a written graph (graph_files.py).

    folder: the temporary folder of the graph. It stays until all processes have ended: one that
    starts late reads the graph when the work may be done already.
    """

    def __init__(self, processes: int, graph: Path, reduced: bool, folder: object = None):
        self._graph = graph
        self._reduced = reduced
        # Each process has a pool of its own, because a pool ends with the first process that dies.
        self._workers = [_Worker(graph, reduced) for _ in range(processes)]
        weakref.finalize(self, _end, self._workers, folder)

    def wait_for_start(self) -> None:
        """Returns when all processes have loaded the graph."""
        for worker in self._workers:
            worker.started.exception()

    def run(self, batches: Iterable[Rows]) -> Iterator[Output]:
        """Yields the output for each batch, in their order.

        Raises DataError where processes die over a batch again and again.
        """
        waiting: deque[tuple[Rows, _Worker, Future[Output]]] = deque()
        for rows in batches:
            waiting.append((rows, *self.submit(rows)))
            if len(waiting) > BATCHES_AHEAD * len(self._workers):
                yield self._output(*waiting.popleft())
        while waiting:
            yield self._output(*waiting.popleft())

    def submit(self, rows: Rows) -> "tuple[_Worker, Future[Output]]":
        """Lets the process with the fewest batches run the rows of a batch, and returns both.

        A process that still starts gets none while others are ready.
        """
        while True:
            worker = min(self._workers, key=_Worker.load)
            try:
                return worker, worker.submit(rows)
            except BrokenProcessPool:
                self._replace(worker)

    def _output(self, rows: Rows, worker: "_Worker", future: "Future[Output]") -> Output:
        """Returns the output for a batch, which is run again where its process dies."""
        deaths = 0
        while True:
            try:
                return future.result()
            except BrokenProcessPool as error:
                worker.end()
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise DataError(
                        f"processes: expected one that computes a batch, got {deaths} that died "
                        "over it (killed, or out of memory): with OMP_NUM_THREADS=1 there are none"
                    ) from error
                worker, future = self.submit(rows)

    def _replace(self, dead: "_Worker") -> None:
        """Starts a process in the place of one that has died."""
        print("a process that computes has died; another takes its place", file=sys.stderr)
        dead.end()
        place = self._workers.index(dead)
        self._workers[place] = _Worker(self._graph, self._reduced)


class _Worker:
    """One process in a pool of its own.

    started: is done when the process has loaded the graph, or has died.
    """

    def __init__(self, graph: Path, reduced: bool):
        self.pool = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(os.getpid(), graph, reduced),
        )
        self._unfinished: list[Future] = []
        with signals_wait():
            self.started = self.pool.submit(os.getpid)

    def load(self) -> tuple[bool, int]:
        """Returns whether the process still starts, and how many batches it has to run."""
        self._unfinished = [future for future in self._unfinished if not future.done()]
        return not self.started.done(), len(self._unfinished)

    def submit(self, rows: Rows) -> "Future[Output]":
        """Lets the process run the rows of a batch. Raises BrokenProcessPool where it has died."""
        with signals_wait():
            future = self.pool.submit(_run, rows)
        self._unfinished.append(future)
        return future

    def end(self) -> None:
        """Ends the process, and returns when nothing is left of it.

        A pool whose process has died still closes its pipes in a thread of its own. A program that
        ended meanwhile would write to a closed pipe.
        """
        with suppress(RuntimeError):  # in the pool's own thread, which has found a process dead
            self.pool.shutdown(cancel_futures=True)


def _end(workers: Iterable[_Worker], folder: object) -> None:
    """Ends the processes, and lets go of the folder then."""
    if is_requested():
        for process in multiprocessing.active_children():
            process.kill()
    for worker in workers:
        worker.end()


_run_rows: Callable[[Rows], Output] | None = None  # the graph of this process


def _start(parent: int, graph: Path, reduced: bool) -> None:
    """Loads the graph. The process dies with the one it works for."""
    global _run_rows
    die_with(parent)
    expect_import()
    from rocketqa.inference.graph_files import load_graph

    _run_rows = load_graph(graph, reduced)


def _run(rows: Rows) -> Output:
    assert _run_rows is not None, "the process has been started by _start"
    return _run_rows(rows)
