"""The speed of encoding, scoring and training: this package beside others, in alternating rounds.

Each contender works in a process of its own (see worker.py). In a round each does the work once,
one after the other, so that a slow moment of the machine meets all of them alike.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from rocketqa.benchmark.contenders import (
    CONTENDERS,
    PADDLENLP,
    SENTENCE_TRANSFORMERS,
    contenders_of,
)
from rocketqa.benchmark.workload import rows_of_round
from rocketqa.files.errors import DataError
from rocketqa.files.packages import INSTALL
from rocketqa.jobs.parents import environment_of_child

PROJECT = Path(__file__).parents[2]
CURES = {
    PADDLENLP: INSTALL[PADDLENLP],
    SENTENCE_TRANSFORMERS: "install the extra `bench`, or name another interpreter with "
    "--peers-python",
}


class Sources(NamedTuple):
    """What the contenders work on: weights (a folder), and files to draw `rows` texts from."""

    weights: str
    collection: str
    queries: str
    rows: int


class RoundCost(NamedTuple):
    """The seconds of a round, and the peak memory of the worker so far, in bytes."""

    seconds: float
    peak_memory: int


class Speed(NamedTuple):
    """The result of a contender.

    peak_memory: bytes. speed_up: the contender's time divided by ours, the median over the rounds.
    """

    work: str
    contender: str
    rows_a_second: float
    peak_memory: int
    speed_up: float


def measure_speed(
    sources: Sources, works: Sequence[str], rounds: int, peers_python: str
) -> Iterator[Speed]:
    """Yields the speed of each contender at each work. The round that warms up does not count.

    peers_python: the interpreter for sentence-transformers. Where a package is missing, a line on
    stderr says so and its contenders are left out.
    """
    interpreters = {PADDLENLP: sys.executable, SENTENCE_TRANSFORMERS: peers_python}
    missing = [name for name, python in interpreters.items() if not has_package(python, name)]
    for work in works:
        names = contenders_of(work, missing)
        costs = _alternating_rounds(names, work, sources, rounds, peers_python)
        ours = costs[0]
        for name, rounds_of_contender in zip(names, costs):
            yield _speed(work, name, rounds_of_contender, ours, sources.rows)


def has_package(python: str, package: str) -> bool:
    """Returns whether an interpreter can import a package; says on stderr where it cannot."""
    command = [python, "-c", f"import {package}"]
    if subprocess.run(command, capture_output=True).returncode == 0:
        return True
    print(f"{python}: no {package} there, so it is left out ({CURES[package]})", file=sys.stderr)
    return False


def _alternating_rounds(
    names: Sequence[str], work: str, sources: Sources, rounds: int, peers_python: str
) -> list[list[RoundCost]]:
    """Returns the costs of each contender's rounds, without the first round."""
    costs: list[list[RoundCost]] = [[] for _ in names]
    with ExitStack() as stack:
        workers = []
        for name in names:
            worker = Worker(name, work, sources, peers_python)
            workers.append(stack.enter_context(closing(worker)))
        for _ in range(1 + rounds):
            for worker, worker_costs in zip(workers, costs):
                worker_costs.append(worker.do_round())
    return [worker_costs[1:] for worker_costs in costs]


def _speed(
    work: str, name: str, costs: Sequence[RoundCost], ours: Sequence[RoundCost], rows: int
) -> Speed:
    seconds = statistics.median(cost.seconds for cost in costs)
    ratios = [cost.seconds / our_cost.seconds for cost, our_cost in zip(costs, ours)]
    return Speed(
        work=work,
        contender=name,
        rows_a_second=rows_of_round(work, rows) / seconds,
        peak_memory=max(cost.peak_memory for cost in costs),
        speed_up=statistics.median(ratios),
    )


class Worker:
    """A process that prepares one contender for one work, and does a round for each request."""

    def __init__(self, name: str, work: str, sources: Sources, peers_python: str):
        contender = CONTENDERS[name]
        python = sys.executable
        if contender.package == SENTENCE_TRANSFORMERS:
            python = peers_python
        settings = {"contender": name, "work": work, **sources._asdict()}
        environment = environment_of_child() | {"PYTHONPATH": str(PROJECT)}
        if contender.threads is not None:
            environment["OMP_NUM_THREADS"] = str(contender.threads)
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [python, "-m", "rocketqa.benchmark.worker", "speed", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout

    def do_round(self) -> RoundCost:
        """Returns the cost of one round. Raises DataError where the process has failed."""
        try:
            self._requests.write("round\n")
            self._requests.flush()
        except BrokenPipeError:
            raise self._failure() from None
        for line in self._answers:
            if line.startswith("{"):
                return RoundCost(**json.loads(line))
        raise self._failure()

    def _failure(self) -> DataError:
        self._process.wait()
        self._errors.seek(0)
        messages = self._errors.read().splitlines() or ["no message"]
        return DataError(f"benchmark: expected {self.name} to work, got {messages[-1]}")

    def close(self) -> None:
        """Ends the process after its last round."""
        try:
            self._requests.close()
        except BrokenPipeError:  # it has ended already
            pass
        self._process.wait()
        self._answers.close()
        self._errors.close()
