"""The speed of encoding, scoring and training: this package beside others, in alternating rounds.

Each contender works in a process of its own (see worker.py). In a round each does the work once,
one after the other, so that a slow moment of the machine meets all of them alike. They prepare one
after the other, too: some look for their best batch size.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rocketqa.benchmark.closeness import Closeness, closeness, mrr_of
from rocketqa.benchmark.contenders import (
    BFLOAT16,
    CONTENDERS,
    OF_PEERS,
    PADDLENLP,
    PRODUCTS,
    contenders_of,
)
from rocketqa.benchmark.workload import ENCODE, draw_labelled_texts, rows_of_round
from rocketqa.files.errors import DataError
from rocketqa.files.packages import INSTALL
from rocketqa.jobs.parents import environment_of_child
from rocketqa.jobs.processor import multiplies_bfloat16
from rocketqa.jobs.temporary_folders import temporary_folder

PROJECT = Path(__file__).parents[2]
SAME = 1e-4  # the largest difference of vectors that differ by rounding to float32 alone
PAUSE = 0.3  # seconds, after which the threads of the contender before have gone to sleep
CURE_OF_PEERS = "install the extra `bench`, or name another interpreter with --peers-python"


class Sources(NamedTuple):
    """What the contenders work on: weights (a folder), and files to draw `rows` texts from; qrels:
    labels of the queries, by which vectors are judged, or None.
    """

    weights: str
    collection: str
    queries: str
    rows: int
    qrels: str | None = None


class RoundCost(NamedTuple):
    """The seconds of a round, and the peak memory of the worker so far, in bytes."""

    seconds: float
    peak_memory: int


class Speed(NamedTuple):
    """The result of a contender.

    rows_a_second: of the round with the median time; slowest and fastest: of the other rounds, as a
    spread. peak_memory: bytes. speed_up: the contender's time divided by ours, the median over the
    rounds. share: of the rate of float32 matrix products, i.e. the time of the work's products
    alone divided by the contender's time, the median over the rounds. closeness: of its vectors to
    ours; mrr: MRR@10 of its vectors of labelled queries and their passages; None where it has none.
    """

    work: str
    contender: str
    rows_a_second: float
    slowest: float
    fastest: float
    peak_memory: int
    speed_up: float
    share: float
    closeness: Closeness | None = None
    mrr: float | None = None


class Result(NamedTuple):
    """The costs of a contender's rounds, and the vectors of the last one, [N, H] (or empty).

    closeness, mrr: see Speed.
    """

    costs: list[RoundCost]
    vectors: np.ndarray
    closeness: Closeness | None = None
    mrr: float | None = None


def measure_speed(
    sources: Sources, works: Sequence[str], rounds: int, peers_python: str
) -> Iterator[Speed]:
    """Yields the speed of each contender at each work. The round that warms up does not count.

    peers_python: the interpreter that has the packages OF_PEERS. Where a package is missing, a line
    on stderr says so and its contenders are left out. Raises DataError where the labels are wrong.
    """
    if sources.qrels:  # so that wrong labels are refused before anything is measured
        draw_labelled_texts(*map(Path, (sources.collection, sources.queries, sources.qrels)))
    missing = _missing(peers_python)
    for work in works:
        names = contenders_of(work, missing)
        results = _alternating_rounds(names, work, sources, rounds, peers_python)
        ours = results[0]
        products = results[names.index(PRODUCTS)].costs
        for name, result in zip(names, results):
            speed = _speed(work, name, result.costs, ours.costs, products, sources.rows)
            yield speed._replace(closeness=result.closeness, mrr=result.mrr)


def _missing(peers_python: str) -> list[str]:
    """Returns what contenders need and is not there; a line on stderr names each."""
    interpreters = {PADDLENLP: sys.executable} | dict.fromkeys(OF_PEERS, peers_python)
    missing = [name for name, python in interpreters.items() if not has_package(python, name)]
    if not multiplies_bfloat16():
        missing.append(BFLOAT16)
        print(f"this processor has no {BFLOAT16}, so PyTorch's is left out", file=sys.stderr)
    return missing


def has_package(python: str, package: str) -> bool:
    """Returns whether an interpreter can import a package; says on stderr where it cannot."""
    command = [python, "-c", f"import {package}"]
    if subprocess.run(command, capture_output=True).returncode == 0:
        return True
    cure = INSTALL.get(package, CURE_OF_PEERS)
    print(f"{python}: no {package} there, so it is left out ({cure})", file=sys.stderr)
    return False


def _alternating_rounds(
    names: Sequence[str], work: str, sources: Sources, rounds: int, peers_python: str
) -> list[Result]:
    """Returns the result of each contender. A round that warms up does not count."""
    costs: list[list[RoundCost]] = [[] for _ in names]
    with ExitStack() as stack:
        workers = []
        for name in names:
            worker = Worker(name, work, sources, peers_python)
            workers.append(stack.enter_context(closing(worker)))
            worker.do_round()  # the next one prepares alone, too, and finds its best batch size
        for _ in range(rounds):
            for worker, worker_costs in zip(workers, costs):
                time.sleep(PAUSE)
                worker_costs.append(worker.do_round())
        results = [Result(measured, worker.vectors()) for measured, worker in zip(costs, workers)]
        return _judged(results, workers, sources) if work == ENCODE else results


def _judged(
    results: Sequence[Result], workers: Sequence["Worker"], sources: Sources
) -> list[Result]:
    """Returns the results with the quality of their vectors; those of ours are the first.

    A contender whose vectors are ours but for rounding has the MRR@10 of ours.
    """
    judged: list[Result] = []
    for result, worker in zip(results, workers):
        if result.vectors.size:
            close = closeness(result.vectors, results[0].vectors)
            result = result._replace(closeness=close)
            if sources.qrels and judged and close.largest_difference < SAME:
                result = result._replace(mrr=judged[0].mrr)
            elif sources.qrels:
                p_reps, q_reps = worker.vectors("judged")
                result = result._replace(mrr=mrr_of(q_reps, p_reps))
        judged.append(result)
    return judged


def _speed(
    work: str,
    name: str,
    costs: Sequence[RoundCost],
    ours: Sequence[RoundCost],
    products: Sequence[RoundCost],
    rows: int,
) -> Speed:
    rates = [rows_of_round(work, rows) / cost.seconds for cost in costs]
    return Speed(
        work=work,
        contender=name,
        rows_a_second=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        peak_memory=max(cost.peak_memory for cost in costs),
        speed_up=_median_ratio(costs, ours),
        share=_median_ratio(products, costs),
    )


def _median_ratio(costs: Sequence[RoundCost], others: Sequence[RoundCost]) -> float:
    """Returns how many times the seconds of the others some rounds took."""
    ratios = [cost.seconds / other.seconds for cost, other in zip(costs, others)]
    return statistics.median(ratios)


class Worker:
    """A process that prepares one contender for one work, and does a round for each request."""

    def __init__(self, name: str, work: str, sources: Sources, peers_python: str):
        contender = CONTENDERS[name]
        of_peers = set(OF_PEERS) & set(contender.needs)
        python = peers_python if of_peers else sys.executable
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
        return RoundCost(**self._answer("round"))

    def vectors(self, what: str = "vectors") -> np.ndarray:
        """Returns the vectors of the last round, [N, H]; an empty array where it had none.

        what: `judged` for those of labelled passages and of their queries, [2, N, H], encoded now.
        """
        with temporary_folder() as folder:
            file = Path(folder, "vectors.npy")
            self._answer(f"{what} {file}")
            return np.load(file)

    def _answer(self, request: str) -> dict[str, Any]:
        try:
            self._requests.write(f"{request}\n")
            self._requests.flush()
        except BrokenPipeError:
            raise self._failure() from None
        for line in self._answers:
            if line.startswith("{"):
                return json.loads(line)
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
