"""No hang: the processes of a launch watch each other, and end the job where one of them does not answer.

A process that dies takes the others with it (Paddle's launcher sees to that); one that is stopped, swapped out or stuck
leaves them waiting in a collective for half an hour. So each has a thread that writes a heartbeat, `alive/RANK` in the
job's part directory: the step, what it is busy with, the line it is at. The same thread looks at those of the others.
"""
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEAT = 2.0  # seconds between two heartbeats
SILENCE = 30.0  # seconds without a heartbeat after which a process is taken for stopped
PATIENCE = 40.0  # seconds that a step may always take; more where earlier ones took a tenth of that or more


class Watchdog:
    """Watches while its `with` lasts. A process alone, or one that nobody launched, is not watched."""

    def __init__(self, folder: Path, what: str, rank: int, count: int, beat: float = BEAT, silence: float = SILENCE,
                 patience: float = PATIENCE):
        self.folder, self.what, self.rank, self.count = folder, what, rank, count
        self.beat, self.silence, self.patience = beat, silence, patience
        self.number, self.busy, self.since, self.longest = 0, "starting", time.monotonic(), 0.0
        self._launcher, self._main = os.getppid(), threading.get_ident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watchdog":
        if self.count > 1:
            self.folder.mkdir(exist_ok=True)
            self._write_heartbeat()
            self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        if self.count > 1:
            self._thread.join()

    def at_step(self, number: int) -> None:
        """Tells that a step begins, and so that the one before has ended."""
        now = time.monotonic()
        if self.busy == "stepping":
            self.longest = max(self.longest, now - self.since)
        self.number, self.busy, self.since = number, "stepping", now

    @contextmanager
    def busy_with(self, what: str) -> Iterator[None]:
        """Tells that this process does something besides steps, for which the others wait as long as it takes."""
        self.busy = what
        yield
        self.busy = "done " + what

    def _watch(self) -> None:
        begin = time.time()
        while not self._over.wait(self.beat):
            if os.getppid() != self._launcher:
                self._end("expected the launcher to live, got it gone")
            self._write_heartbeat()
            beats = {rank: self._heartbeat(rank, begin) for rank in range(self.count)}
            for rank, (age, state) in beats.items():
                if age > self.silence:
                    self._end(f"expected every device to answer, got nothing from device {rank} for {age:.0f} s, "
                              f"last {state}")
            lasting = time.monotonic() - self.since
            if (self.longest and lasting > max(self.patience, 10 * self.longest)
                    and all(state.get("busy") == "stepping" for _, state in beats.values())):
                places = ", ".join(f"device {rank} at {state.get('at')}" for rank, (_, state) in beats.items())
                self._end(f"expected the step to end, got it lasting {lasting:.0f} s: {places}")

    def _heartbeat(self, rank: int, begin: float) -> tuple[float, dict]:
        """Returns how old a device's heartbeat is, in seconds, and what it says."""
        path = self.folder / str(rank)
        try:
            return time.time() - path.stat().st_mtime, json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return time.time() - begin, {}

    def _write_heartbeat(self) -> None:
        unfinished = self.folder / f"{self.rank}.tmp"
        unfinished.write_text(json.dumps({"step": self.number, "busy": self.busy, "at": self._place()}))
        os.replace(unfinished, self.folder / str(self.rank))

    def _place(self) -> str:
        """Returns the line that the main thread is at, by file."""
        frame = sys._current_frames().get(self._main)
        last = traceback.extract_stack(frame, limit=1)[-1]
        return f"{Path(last.filename).name}:{last.lineno} {last.name}"

    def _end(self, complaint: str) -> None:
        """Ends this process at once: its main thread may wait for ever."""
        print(f"{self.what}: step {self.number}: {complaint} (told by device {self.rank})", file=sys.stderr, flush=True)
        os._exit(2)
