"""`train_log.tsv`: a line a step, with honest rates; the same values for VisualDL where it is asked for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
WARM_UP = 3  # steps after a start that are slower than the rest


class Meter:
    """Measures steps: what is paused does not count."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.clock, self.before = clock, clock()

    def lap(self) -> float:
        """Returns the seconds since the last lap, without the pauses."""
        now = self.clock()
        seconds, self.before = now - self.before, now
        return seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out what happens here."""
        begin = self.clock()
        yield
        self.before += self.clock() - begin


class Log:
    """The file. Going on, it keeps the lines of the steps that count."""

    def __init__(self, path: Path, steps_done: int, visualdl: Path | None = None):
        lines = (
            path.read_text(encoding="utf-8").splitlines()[: steps_done + 1] if steps_done else []
        )
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.file.writelines(line + "\n" for line in lines or ["\t".join(COLUMNS)])
        self.first_rate = steps_done + WARM_UP
        self.visualdl = _writer(visualdl) if visualdl else None

    def write(self, row: dict[str, float]) -> None:
        """Adds a step. Rates stay empty while the process warms up, dev measures where there are none."""
        values = {
            name: value
            for name, value in row.items()
            if name not in RATES or row["step"] > self.first_rate
        }
        self.file.write(
            "\t".join(f"{values[name]:.9g}" if name in values else "" for name in COLUMNS) + "\n"
        )
        if self.visualdl:
            for name in values.keys() - {"step"}:
                self.visualdl.add_scalar(tag=name, step=int(row["step"]), value=values[name])

    def close(self) -> None:
        """Ends both files."""
        self.file.close()
        if self.visualdl:
            self.visualdl.close()


def _writer(directory: Path):
    from visualdl import LogWriter

    return LogWriter(logdir=str(directory))
