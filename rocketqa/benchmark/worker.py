"""The processes that `rocketqa benchmark` starts. Users do not call this module.

    python -m rocketqa.benchmark.worker accumulation SETTINGS   measures one training step
    python -m rocketqa.benchmark.worker speed SETTINGS          does what each line of stdin says:
                                                                `round`, `vectors FILE` or
                                                                `judged FILE`

SETTINGS and the answers, one a line of stdout, are JSON objects.
"""

import json
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rocketqa.benchmark.accumulation import StepSettings
from rocketqa.benchmark.contenders import CONTENDERS
from rocketqa.benchmark.workload import draw_labelled_texts, draw_texts
from rocketqa.files.errors import DataError
from rocketqa.jobs.parents import end_with_those_above


def main(arguments: list[str]) -> None:
    """Does the task that the arguments describe."""
    end_with_those_above()
    task, settings = arguments
    if task == "accumulation":
        answer_step(StepSettings(**json.loads(settings)))
    elif task == "speed":
        answer_rounds(sys.stdin, **json.loads(settings))
    else:
        raise ValueError(f"unknown task {task}")


def answer_step(settings: StepSettings) -> None:
    """Prints the cost of a training step."""
    from rocketqa.benchmark.training_step import measure_step

    print(json.dumps(measure_step(settings)._asdict()))


def answer_rounds(
    requests: Iterable[str],
    contender: str,
    work: str,
    weights: str,
    collection: str,
    queries: str,
    rows: int,
    qrels: str | None = None,
) -> None:
    """Prepares a contender. Prints the cost of a round for each request of one.

    `vectors FILE` writes the vectors of the last round into FILE, or an empty array where it had
    none. `judged FILE` writes those of labelled passages and their queries, [2, N, H].
    """
    files = (Path(collection), Path(queries))
    prepare = CONTENDERS[contender].prepare
    do_round = prepare(work, weights, draw_texts(*files, rows))
    result: object = None
    for request in requests:
        what, _, file = request.strip().partition(" ")
        if what == "judged" and qrels:
            texts = draw_labelled_texts(*files, Path(qrels))
            both = [prepare(work, weights, of)() for of in (texts, texts.queries_alone())]
            result = np.stack([np.asarray(vectors) for vectors in both])
        if file:
            vectors = result if isinstance(result, np.ndarray) else np.empty(0)
            np.save(file, vectors)
            print(json.dumps({"vectors": file}), flush=True)
            continue
        begin = time.perf_counter()
        result = do_round()
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "peak_memory": peak_memory()}), flush=True)


def peak_memory() -> int:
    """Returns the most memory of this process and its child processes so far, in bytes."""
    processes = [os.getpid()]
    processes += [child.pid for child in multiprocessing.active_children() if child.pid]
    return sum(_peak_memory_of(process) for process in processes)


def _peak_memory_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) * 1024


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (DataError, OSError) as error:
        sys.exit(str(error))  # on stderr, where the parent process reads the last line
