"""The processes of an engine run its graph, say nothing, and are out of reach of signals."""

import subprocess
import sys
from pathlib import Path

import pytest
from toy_files import ENVIRONMENT

ROOT = Path(__file__).parents[1]
PROGRAM = """
import multiprocessing, os, signal, sys
from pathlib import Path
import numpy as np
from rocketqa.inference.workers import Workers
from rocketqa.text.tokenizer import Encoding

def main():
    row = Encoding(np.array([2, 5, 3]), np.zeros(3, np.int64))
    workers = Workers(1, Path(sys.argv[1]) / "encoder.json", False)
    [first] = workers.run([[row]])
    [process] = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    [again] = workers.run([[row]])
    print(first.shape, (first == again).all(), "paddle" in sys.modules)

if __name__ == "__main__":
    main()
"""
DEATHS = """
import multiprocessing, os, sys, threading
from pathlib import Path
import numpy as np
from rocketqa.files.errors import DataError
from rocketqa.inference import workers as module
from rocketqa.text.tokenizer import Encoding

module.MOST_DEATHS = 2

class Deadly:
    def __reduce__(self):  # what a process runs that unpickles it
        return os._exit, (1,)

def main():
    batches = [[Encoding(np.arange(2, 2 + length), np.zeros(length, np.int64))]
               for length in range(3, 9)]
    workers = module.Workers(1, Path(sys.argv[1]) / "encoder.json", False)
    workers.wait_for_start()
    alive = list(workers.run(batches))
    for process in multiprocessing.active_children():
        process.kill()
    replaced = list(workers.run(batches))
    print(all((one == other).all() for one, other in zip(alive, replaced, strict=True)))
    try:
        list(workers.run([[Deadly()]]))
    except DataError as error:
        print(error)
    print(threading.active_count())

if __name__ == "__main__":
    main()
"""
LATE = """
import shutil, sys, tempfile
from pathlib import Path
import numpy as np
from rocketqa.inference.workers import Workers
from rocketqa.text.tokenizer import Encoding

def main():
    folder = tempfile.TemporaryDirectory()
    shutil.copytree(sys.argv[1], folder.name, dirs_exist_ok=True)
    workers = Workers(1, Path(folder.name) / "encoder.json", False, folder)
    workers.submit([Encoding(np.array([2, 5, 3]), np.zeros(3, np.int64))])

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def run_program(tmp_path):
    """Returns a function that runs a program, whose argument is the folder of a written graph."""
    from tiny_encoders import tiny_ernie

    from rocketqa.inference.graph_files import write_graph
    from rocketqa.inference.padded_encoder import padded_twin

    write_graph(padded_twin(tiny_ernie()), tmp_path, "encoder")

    def run(text: str) -> tuple[int, str, str]:
        program = tmp_path / "program.py"
        program.write_text(text)
        environment = ENVIRONMENT | {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, program, tmp_path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_process_runs_a_graph_in_silence_whatever_signals_come(run_program):
    assert run_program(PROGRAM) == (0, "(1, 24) True False\n", "")


def test_dead_processes_are_replaced_and_their_batches_run_again(run_program):
    status, output, errors = run_program(DEATHS)
    equal, refusal, threads = output.splitlines()
    assert (equal, threads) == ("True", "1")  # a thread that closes a pipe could fail at the end
    assert refusal.startswith("processes: expected one that computes a batch, got 2 that died")
    line = "a process that computes has died; another takes its place"
    assert set(errors.splitlines()) == {line} and status == 0


def test_the_graph_stays_until_a_process_that_starts_late_has_read_it(run_program):
    """The work is done, and the pool is let go, while its processes still start."""
    assert run_program(LATE) == (0, "", "")
