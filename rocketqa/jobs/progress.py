"""Progress with the time that is left: a bar on a terminal, else a line every now and then."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from tqdm import tqdm

# The run scripts set this to the name of their terminal, such as /dev/pts/3, which a launcher hides
# from its processes.
TERMINAL = "ROCKETQA_TERMINAL"
LINE_SECONDS = 30.0  # from one line to the next
COUNTED_TOGETHER = 100  # items of an iterable, which can be the rows of a large file
SHORT_SECONDS = 5.0  # work that takes less has no line at all


class Lines(tqdm):
    """Progress as whole lines: at most one in LINE_SECONDS, and one at the end of the work.

    Work that fails has no line at its end, and short work has none.
    """

    monitor_interval = 0  # no thread that looks after the interval
    disable = True  # until it is made

    def __init__(self, items: Iterable | None = None, **settings: Any):
        super().__init__(items, mininterval=LINE_SECONDS, miniters=1, **settings)

    def __iter__(self) -> Iterator:
        """Yields the items and counts them."""
        number = 0
        with self:
            for number, item in enumerate(self.iterable, 1):
                yield item
                if number % COUNTED_TOGETHER == 0:
                    self.update(COUNTED_TOGETHER)
            self.update(number % COUNTED_TOGETHER)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Writes a line where something has been done; `msg` is "" where a bar would vanish."""
        if msg is None and self.n > self.initial:
            print(self.line(), file=self.fp, flush=True)
        return False

    def line(self) -> str:
        """Returns what has been done, the latest values, the rate and the time that is left."""
        seconds = max(self.format_dict["elapsed"], 1e-9)
        rate = (self.n - self.initial) / seconds
        done = f"{self.desc.removesuffix(': ')}: {self.unit.strip()} {self._count(self.n)}"
        time_left = f"in {self.format_interval(seconds)}"
        if self.total:
            done += f" of {self._count(self.total)}"
            if self.n < self.total:
                left = (self.total - self.n) / rate
                time_left = f"{self.format_interval(left)} left"
        values = [self.postfix] if self.postfix else []
        return ", ".join([done, *values, f"{self._count(rate)} a second", time_left])

    def _count(self, number: float) -> str:
        if self.unit_scale and number >= 1000:
            return self.format_sizeof(number)
        return f"{number:.3g}" if number < 100 else f"{number:,.0f}"

    def close(self) -> None:
        """Ends the progress with its last line."""
        if self.disable:
            return
        self.leave = False
        super().close()
        is_done = not self.total or self.n >= self.total
        if is_done and self.format_dict["elapsed"] >= SHORT_SECONDS:
            self.display()

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Ends the progress, without its last line where the work has failed."""
        if kind is None:
            self.close()
        self.disable = True


def bar(items: Iterable | None = None, main: bool = True, **settings: Any) -> tqdm:
    """Returns the progress of the work on `items`.

    main: whether this is the first device; the others show nothing. settings: tqdm's own, such as
    `total`, `unit` and `desc`.
    """
    if not main:
        return tqdm(items, disable=True, **settings)
    terminal = _terminal()
    if terminal is None:
        return Lines(items, file=sys.stderr, **settings)
    return tqdm(items, file=terminal, dynamic_ncols=_has_columns(terminal), **settings)


def _terminal() -> TextIO | None:
    """Returns the terminal that a person watches; None where there is none."""
    if sys.stderr.isatty():
        return sys.stderr
    try:
        opened = os.open(os.environ.get(TERMINAL, ""), os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        return None
    return open(opened, "w", encoding="utf-8")


def _has_columns(terminal: TextIO) -> bool:
    """Returns whether a terminal knows its width."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns > 0
    except OSError:
        return False
