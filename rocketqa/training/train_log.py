"""`train_log.tsv`: one line a step, with rates that leave out everything but the steps.

The same values are written for VisualDL where that is asked for.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

    def __init__(self, path: Path, steps_done: int, visualdl: Path | None = None):
        lines = ["\t".join(COLUMNS)]
        if steps_done and path.is_file():
            before = path.read_text(encoding="utf-8", errors="replace")
            lines = before.splitlines()[: steps_done + 1] or lines
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.file.writelines(f"{line}\n" for line in lines)
        self.first_rate = steps_done + WARM_UP
        self.visualdl = _visualdl_writer(visualdl) if visualdl else None

    def write(self, row: dict[str, float]) -> None:
        """Adds a step. Rates are empty during the warm-up, dev measures where there are none."""
        warming_up = row["step"] <= self.first_rate
        values = {}
        for name, value in row.items():
            if not (warming_up and name in RATES):
                values[name] = value
        columns = [f"{values[name]:.9g}" if name in values else "" for name in COLUMNS]
        self.file.write("\t".join(columns) + "\n")
        if self.visualdl:
            for name in values.keys() - {"step"}:
                self.visualdl.add_scalar(tag=name, step=int(row["step"]), value=values[name])

    def close(self) -> None:
        """Closes both files."""
        self.file.close()
        if self.visualdl:
            self.visualdl.close()


def _visualdl_writer(directory: Path) -> Any:
    from visualdl import LogWriter

    return LogWriter(logdir=str(directory))
