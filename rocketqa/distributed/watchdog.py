"""No hang, and no hurry: the processes of a launch watch each other and wait for each other.

A process that dies takes the others with it (Paddle's launcher sees to that). One that is stopped, swapped out or stuck
leaves them waiting, on GPUs for half an hour; on CPUs gloo gives up after 30 seconds, also on a process that only saves
or has the longer texts. So each has a thread that writes a heartbeat, a small file in a folder of the launch: the step,
what it is busy with, the line it is at. The same thread looks at those of the others. `barrier` waits for them for as long
as they live.
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
SILENCE = 20.0  # seconds without a heartbeat after which a process is taken for stopped; gloo gives up after 30
PATIENCE = 40.0  # seconds that a step may always take; more where earlier ones took a tenth of that or more
GLANCE = 0.002  # seconds between two looks at who has come to a meeting


class Watchdog:
    """Watches from `start` to `stop`. A process alone is not watched."""

    def __init__(
        self,
        folder: Path,
        what: str,
        rank: int,
        count: int,
        beat: float = BEAT,
        silence: float = SILENCE,
        patience: float = PATIENCE,
    ):
        self.folder, self.what, self.rank, self.count = folder, what, rank, count
        self.beat, self.silence, self.patience = beat, silence, patience
        self.number, self.busy, self.since, self.longest = 0, "starting", time.monotonic(), 0.0
        self._launcher, self._main, self._beats, self._meetings = (
            os.getppid(),
            threading.get_ident(),
            0,
            0,
        )
        self._over, self._writing = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begins to write heartbeats, and to look at those of the others."""
        if self.count > 1:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_heartbeat()
            self._thread.start()

    def stop(self) -> None:
        """Ends both."""
        if self.count > 1:
            self._over.set()
            self._thread.join()

    def barrier(self) -> None:
        """Waits until every process has come here as often as this one.

        Where the folder has gone, the first process has met everybody and cleaned up.
        """
        if self.count == 1:
            return
        self._meetings += 1
        self._write_heartbeat()
        for rank in range(self.count):
            while (
                self._heartbeat(rank).get("meetings", 0) < self._meetings and self.folder.is_dir()
            ):
                time.sleep(GLANCE)

    def at_step(self, number: int) -> None:
        """Tells that a step begins, and so that the one before has ended."""
        now = time.monotonic()
        if self.busy == "stepping":
            self.longest = max(self.longest, now - self.since)
        self.number, self.busy, self.since = number, "stepping", now

    def no_more_steps(self) -> None:
        """Tells that the last step has ended: what follows takes as long as it takes."""
        self.busy = "finishing"

    @contextmanager
    def busy_with(self, what: str) -> Iterator[None]:
        """Tells that this process does something besides steps, for which the others wait as long as it takes."""
        self.busy = what
        yield
        self.busy = "done " + what

    def _watch(self) -> None:
        begin = time.monotonic()
        last = {
            rank: ({}, begin) for rank in range(self.count)
        }  # what each said, and when that was new to us
        while not self._over.wait(self.beat):
            if os.getppid() != self._launcher:
                self._end("expected the launcher to live, got it gone")
            self._write_heartbeat()
            for rank, (before, since) in last.items():
                state = self._heartbeat(rank)
                last[rank] = (before, since) if state == before else (state, time.monotonic())
            self._judge(last)

    def _judge(self, last: dict[int, tuple[dict, float]]) -> None:
        """Ends the job where a device is silent or a step lasts too long."""
        now = time.monotonic()
        for rank, (state, since) in last.items():
            if now - since > self.silence:
                self._end(
                    f"expected every device to answer, got nothing from device {rank} for {now - since:.0f} s, "
                    f"last {state}"
                )
        lasting = now - self.since
        if (
            self.longest
            and lasting > max(self.patience, 10 * self.longest)
            and all(state.get("busy") == "stepping" for state, _ in last.values())
        ):
            places = ", ".join(
                f"device {rank} at {state.get('at')}" for rank, (state, _) in last.items()
            )
            self._end(f"expected the step to end, got it lasting {lasting:.0f} s: {places}")

    def _heartbeat(self, rank: int) -> dict:
        """Returns what a device says, {} where it has said nothing yet."""
        try:
            return json.loads((self.folder / str(rank)).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _write_heartbeat(self) -> None:
        with self._writing:
            self._beats += 1
            unfinished = self.folder / f"{self.rank}.tmp"
            try:
                unfinished.write_text(
                    json.dumps(
                        {
                            "beat": self._beats,
                            "step": self.number,
                            "busy": self.busy,
                            "at": self._place(),
                            "meetings": self._meetings,
                        }
                    ),
                    encoding="utf-8",
                )
                os.replace(unfinished, self.folder / str(self.rank))
            except FileNotFoundError:  # the first process has met everybody and cleaned up
                pass

    def _place(self) -> str:
        """Returns the line that the main thread is at, by file."""
        frame = sys._current_frames().get(self._main)
        last = traceback.extract_stack(frame, limit=1)[-1]
        return f"{Path(last.filename).name}:{last.lineno} {last.name}"

    def _end(self, complaint: str) -> None:
        """Ends this process at once: its main thread may wait for ever."""
        print(
            f"{self.what}: step {self.number}: {complaint} (told by device {self.rank})",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)
