"""What gradient accumulation costs: a batch at once and the same batch in chunks (footnote 2).

Each batch is measured in a process of its own (see worker.py), because the peak memory of a process
never falls again.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.jobs.parents import environment_of_child

GIB = 2**30


class StepSettings(NamedTuple):
    """A batch, and the dual encoder with random weights that is trained on it.

    queries: of the batch, each with two passages. Lengths are in tokens.
    """

    queries: int
    chunks: int
    layers: int = 4
    hidden_size: int = 312
    query_length: int = 32
    passage_length: int = 128
    recompute: bool = False


class StepCost(NamedTuple):
    """The median seconds of a step, its memory in bytes, and the operators of Paddle that it runs.

    memory_before, peak_memory: of the process before and after the steps; of the GPU where it uses
    one. of_tensors: the peak of what Paddle has given to tensors. foretold: the same, by
    `training/step_memory.py`.
    """

    seconds: float
    memory_before: int
    peak_memory: int
    of_tensors: int
    foretold: float
    operator_calls: int

    @property
    def memory_of_step(self) -> int:
        """The bytes above those of the model and the optimizer."""
        return self.peak_memory - self.memory_before


class LargestBatch(NamedTuple):
    """How many queries fit into the memory; 0 where not even one chunk does.

    all_fit: whether the search ended at the largest batch that it was allowed to try.
    """

    queries: int
    all_fit: bool


def measure_in_own_process(settings: StepSettings) -> StepCost:
    """Returns the cost of a step, measured in a new process. Raises DataError where that fails."""
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "rocketqa.benchmark.worker"),
            *("accumulation", json.dumps(settings._asdict())),
        ],
        capture_output=True,
        text=True,
        env=environment_of_child(),
    )
    if answer.returncode:
        errors = answer.stderr.splitlines() or ["no message: it was killed, perhaps out of memory"]
        batch = f"{settings.queries} queries in {settings.chunks} chunks"
        raise DataError(f"benchmark: expected {batch} to be measured, got {errors[-1]}")
    return StepCost(**json.loads(answer.stdout.splitlines()[-1]))


def comparison_lines(direct: StepSettings, chunked: StepSettings) -> Iterator[str]:
    """Yields the table of both costs, tab-separated; its last lines are `chunked` / `direct`."""
    yield (
        "step\tbatch\tchunks\tseconds a step\tpeak memory, GiB\tof tensors, GiB\t"
        "of tensors as foretold, GiB\toperator calls a step"
    )
    direct_cost = measure_in_own_process(direct)
    yield _line("direct", direct, direct_cost)
    chunked_cost = measure_in_own_process(chunked)
    yield _line("chunks", chunked, chunked_cost)
    time_ratio = chunked_cost.seconds / direct_cost.seconds
    peak_ratio = chunked_cost.peak_memory / direct_cost.peak_memory
    call_ratio = chunked_cost.operator_calls / direct_cost.operator_calls
    yield f"ratio\t\t\t{time_ratio:.3f}\t{peak_ratio:.3f}\t\t\t{call_ratio:.3f}"
    direct_memory = direct_cost.memory_of_step
    chunked_memory = chunked_cost.memory_of_step
    yield (
        f"memory above model and optimizer: {direct_memory / GIB:.3f} and "
        f"{chunked_memory / GIB:.3f} GiB, ratio {chunked_memory / direct_memory:.3f}"
    )


def _line(name: str, settings: StepSettings, cost: StepCost) -> str:
    batch = f"{settings.queries}\t{settings.chunks}"
    sizes = (cost.peak_memory, cost.of_tensors, cost.foretold)
    in_gib = "\t".join(f"{size / GIB:.3f}" for size in sizes)
    return f"{name}\t{batch}\t{cost.seconds:.3f}\t{in_gib}\t{cost.operator_calls}"


def find_largest_batch(
    settings: StepSettings, chunk_size: int, in_chunks: bool, memory: float, largest: int
) -> LargestBatch:
    """Returns the largest batch whose peak memory is at most `memory` bytes.

    The batches tried are `chunk_size` queries, then twice as many each time, up to `largest`. Each
    is taken in chunks of `chunk_size` or, unless `in_chunks`, at once.
    """
    fitting = 0
    queries = chunk_size
    while queries <= largest:
        chunks = queries // chunk_size if in_chunks else 1
        cost = measure_in_own_process(settings._replace(queries=queries, chunks=chunks))
        if cost.peak_memory > memory:
            return LargestBatch(fitting, all_fit=False)
        fitting = queries
        queries *= 2
    return LargestBatch(fitting, all_fit=True)
