"""`train_log.tsv`: one line a step, with rates that leave out everything but the steps.

The same values are written for VisualDL where that is asked for.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rocketqa.jobs.atomic_files import write_atomically

COLUMNS = (
    "step",
    "loss",
    "accuracy",
    "learning_rate",
    "gradient_norm",
    "queries_per_second",
    "tokens_per_second",
    "padding_left_out",
    "loss_scale",
    "dev_MRR@10",
)
OF_HELD_OUT_PAIRS = ("held_out_AUC", "held_out_loss")  # further columns, where there are such pairs
RATES = ("queries_per_second", "tokens_per_second")
WARM_UP = 3  # steps after a start that are slower than the others, and have no rates


class Meter:
    """Measures the seconds of each step; what is paused does not count."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.clock = clock
        self.lap_began = clock()

    def lap(self) -> float:
        """Returns the seconds since the last lap, without the pauses."""
        now = self.clock()
        seconds = now - self.lap_began
        self.lap_began = now
        return seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out what happens in this context."""
        began = self.clock()
        yield
        self.lap_began += self.clock() - began


class Log:
    """The log file. A resumed training keeps the lines of the steps before its state."""

    def __init__(
        self,
        path: Path,
        steps_done: int,
        visualdl: Path | None = None,
        further: Sequence[str] = (),
    ):
        self.columns = (*COLUMNS, *further)
        lines = ["\t".join(self.columns)]
        if steps_done and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            lines = text.splitlines()[: steps_done + 1] or lines
        write_atomically(path, "".join(f"{line}\n" for line in lines))
        self.file = path.open("a", encoding="utf-8", buffering=1)
        self.first_rate = steps_done + WARM_UP
        self.visualdl = _visualdl_writer(visualdl) if visualdl else None

    def write(self, row: dict[str, float]) -> None:
        """Adds a step. Rates are empty during the warm-up, dev measures where there are none."""
        warming_up = row["step"] <= self.first_rate
        values = {}
        for name, value in row.items():
            if not (warming_up and name in RATES):
                values[name] = value
        shown = [f"{values[name]:.9g}" if name in values else "" for name in self.columns]
        self.file.write("\t".join(shown) + "\n")
        if self.visualdl:
            for name in values.keys() - {"step"}:
                self.visualdl.add_scalar(tag=name, step=int(row["step"]), value=values[name])

    def sync(self) -> None:
        """Returns when all lines are on disk: a state relies on those of the steps before it."""
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Closes both files."""
        self.file.close()
        if self.visualdl:
            self.visualdl.close()


def _visualdl_writer(directory: Path) -> Any:
    from visualdl import LogWriter

    return LogWriter(logdir=str(directory))
