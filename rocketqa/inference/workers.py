"""The processes that compute for an engine on a CPU. This module loads Paddle only in them.

They are processes because Paddle Inference computes in one thread of a process only. No signal
reaches them: the process that they work for ends them, and they die where it dies.
"""

import multiprocessing
import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np

from rocketqa.distributed.paddle_import import expect_import
from rocketqa.jobs.stopping import die_with, is_requested, signals_wait
from rocketqa.text.tokenizer import Encoding


class Workers:
    """A pool of processes that run a written graph (graph_files.py).

    folder: the temporary folder of the graph. It stays until all processes have ended: one that
    starts late reads the graph when the work may be done already.
    """

    def __init__(self, processes: int, graph: Path, reduced: bool, folder: object = None):
        self._pool = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(os.getpid(), graph, reduced),
        )
        weakref.finalize(self, _end, self._pool, folder)

    def submit(self, rows: Sequence[Encoding]) -> "Future[np.ndarray]":
        """Lets a process run the rows of a batch. The first calls start the processes."""
        with signals_wait():
            return self._pool.submit(_run, rows)


def _end(pool: ProcessPoolExecutor, folder: object) -> None:
    """Ends the processes, and lets go of the folder then."""
    if is_requested():
        for process in multiprocessing.active_children():
            process.kill()
    pool.shutdown(cancel_futures=True)


_run_rows: Callable[[Sequence[Encoding]], np.ndarray] | None = None  # the graph of this process


def _start(parent: int, graph: Path, reduced: bool) -> None:
    """Loads the graph. The process dies with the one it works for."""
    global _run_rows
    die_with(parent)
    expect_import()
    from rocketqa.inference.graph_files import load_graph

    _run_rows = load_graph(graph, reduced)


def _run(rows: Sequence[Encoding]) -> np.ndarray:
    assert _run_rows is not None, "the process has been started by _start"
    return _run_rows(rows)
