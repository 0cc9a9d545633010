"""Failure detection and barriers: the processes of a launch watch and wait for each other.

A process that dies takes the others with it: Paddle's launcher sees to that. A process that is
stopped, swapped out or stuck leaves them waiting: on GPUs for half an hour; on CPUs gloo gives up
after 30 seconds, also on a process that only saves a state or has the longer texts. Therefore each
process has a thread that writes a heartbeat, a small file in a folder of the launch: the step, what
the process is busy with, and the line of code that it is at. The same thread reads the heartbeats
of the others. `barrier` waits for the others for as long as they live.
"""

import json
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

BEAT = 2.0  # seconds between two heartbeats
# Seconds without a heartbeat after which a process counts as stopped; gloo gives up after 30.
SILENCE = 20.0
# The limit of a step, in seconds: the larger of this and ten times the longest step so far.
PATIENCE = 40.0
POLL = 0.002  # seconds between two looks at the heartbeats while a process waits at a barrier

STEPPING = "stepping"
LEFT = "left"
Heartbeat = dict[str, Any]


class LastHeard(NamedTuple):
    """The newest heartbeat of a process, and when it was first seen (seconds of time.monotonic)."""

    heartbeat: Heartbeat
    seen: float


class Watchdog:
    """Watches from `start` to `stop`. A process that is alone is not watched.

    folder: where the heartbeats are. what: the name that error lines begin with. rank: the number
    of this process, 0 to count - 1. beat, silence, patience: seconds, see the constants above.
    """

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
        self.folder = folder
        self.what = what
        self.rank = rank
        self.count = count
        self.beat = beat
        self.silence = silence
        self.patience = patience
        self.step = 0
        self.busy = "starting"
        self.step_began = time.monotonic()
        self.longest_step = 0.0
        self._launcher = os.getppid()
        self._main_thread = threading.get_ident()
        self._beats = 0
        self._barriers = 0
        self._stopped = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begins to write heartbeats and to read those of the others."""
        if self.count > 1:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_heartbeat()
            self._thread.start()

    def stop(self) -> None:
        """Ends both."""
        if self.count > 1:
            self._stopped.set()
            self._thread.join()

    def leave(self) -> None:
        """Ends both where the work has failed or is stopped, whoever else still works; the last
        process removes the heartbeats.
        """
        if self.count == 1:
            return
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.busy = LEFT
        self._write_heartbeat()
        if all(self._heartbeat_of(rank).get("busy") == LEFT for rank in range(self.count)):
            shutil.rmtree(self.folder, ignore_errors=True)

    def barrier(self) -> None:
        """Waits until every process has come to a barrier as often as this one.

        Where the folder is gone, the first process has seen everybody and has cleaned up.
        """
        if self.count == 1:
            return
        self._barriers += 1
        self._write_heartbeat()
        for rank in range(self.count):
            while self._is_waited_for(rank):
                time.sleep(POLL)

    def _is_waited_for(self, rank: int) -> bool:
        barriers = self._heartbeat_of(rank).get("barriers", 0)
        return barriers < self._barriers and self.folder.is_dir()

    def at_step(self, step: int) -> None:
        """Records that a step begins, and with it that the step before has ended."""
        now = time.monotonic()
        if self.busy == STEPPING:
            self.longest_step = max(self.longest_step, now - self.step_began)
        self.step = step
        self.busy = STEPPING
        self.step_began = now

    def no_more_steps(self) -> None:
        """Records that the last step has ended: what follows may take as long as it takes."""
        self.busy = "finishing"

    @contextmanager
    def busy_with(self, what: str) -> Iterator[None]:
        """Records that this process does something besides steps; the others wait for it."""
        self.busy = what
        yield
        self.busy = f"done {what}"

    def _watch(self) -> None:
        """Runs in the thread: writes a heartbeat and judges those of the others, until `stop`."""
        begin = time.monotonic()
        last = {rank: LastHeard({}, begin) for rank in range(self.count)}
        while not self._stopped.wait(self.beat):
            if os.getppid() != self._launcher:
                self._end("expected the launcher to live, got it gone")
            self._write_heartbeat()
            for rank in last:
                heartbeat = self._heartbeat_of(rank)
                if heartbeat != last[rank].heartbeat:
                    last[rank] = LastHeard(heartbeat, time.monotonic())
            self._judge(last)

    def _judge(self, last: dict[int, LastHeard]) -> None:
        """Ends the job where a process is silent, or where a step takes too long."""
        now = time.monotonic()
        for rank, (heartbeat, seen) in last.items():
            if now - seen > self.silence:
                self._end(
                    f"expected every device to answer, got nothing from device {rank} "
                    f"for {now - seen:.0f} s, last {heartbeat}"
                )
        seconds = now - self.step_began
        too_long = seconds > max(self.patience, 10 * self.longest_step)
        all_stepping = all(heard.heartbeat.get("busy") == STEPPING for heard in last.values())
        if self.longest_step and too_long and all_stepping:
            places = [
                f"device {rank} at {heard.heartbeat.get('at')}" for rank, heard in last.items()
            ]
            self._end(
                f"expected the step to end, got it lasting {seconds:.0f} s: {', '.join(places)}"
            )

    def _heartbeat_of(self, rank: int) -> Heartbeat:
        """Returns the heartbeat of a process; empty where it has written none yet."""
        try:
            return json.loads((self.folder / str(rank)).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _write_heartbeat(self) -> None:
        with self._writing:
            self._beats += 1
            heartbeat = {
                "beat": self._beats,
                "step": self.step,
                "busy": self.busy,
                "at": self._line_of_code(),
                "barriers": self._barriers,
            }
            unfinished = self.folder / f"{self.rank}.tmp"
            try:
                unfinished.write_text(json.dumps(heartbeat), encoding="utf-8")
                os.replace(unfinished, self.folder / str(self.rank))
            except FileNotFoundError:  # the first process has seen everybody and has cleaned up
                pass

    def _line_of_code(self) -> str:
        """Returns the line that the main thread is at: file, number, function."""
        frame = sys._current_frames().get(self._main_thread)
        last = traceback.extract_stack(frame, limit=1)[-1]
        return f"{Path(last.filename).name}:{last.lineno} {last.name}"

    def _end(self, complaint: str) -> NoReturn:
        """Ends this process at once: its main thread may wait for ever."""
        line = f"{self.what}: step {self.step}: {complaint} (told by device {self.rank})"
        print(line, file=sys.stderr, flush=True)
        os._exit(2)


class Workspace(NamedTuple):
    """What each process of a launch works with: the part directory of the job, and the watchdog."""

    part: Path
    watchdog: Watchdog
