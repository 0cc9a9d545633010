"""Failure detection and barriers: the processes of a launch watch and wait for each other.

A process that dies takes the others with it: Paddle's launcher sees to that. A process that is
stopped, swapped out or stuck leaves them waiting: on GPUs for half an hour; on CPUs gloo gives up
after 30 seconds, also on a process that only saves a state or has the longer texts. Therefore each
process has a thread that writes a heartbeat, a small file in a folder of the launch: the step, what
the process is busy with, and the line of code that it is at. The same thread reads the heartbeats
of the others. `barrier` waits for the others for as long as they live.

A process judges others by what it can know. It counts only the seconds in which it was awake
itself: a suspended machine, a frozen disk and stopped processes accuse nobody. A process that a
debugger has stopped is waited for.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from rocketqa.distributed.awake_clock import AwakeClock
from rocketqa.distributed.heartbeats import (
    Heartbeat,
    is_dead,
    is_in_a_debugger,
    process_of_this,
)
from rocketqa.distributed.launch_variables import TOLD_BY
from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object

BEAT = 2.0  # seconds between two heartbeats
# Seconds without a heartbeat after which a process counts as stopped; gloo gives up after 30.
SILENCE = 20.0
# The limit of a step, in seconds: the larger of this and ten times the longest step so far.
PATIENCE = 40.0
POLL = 0.001  # seconds between two looks at the heartbeats while a process waits at a barrier

STEPPING = "stepping"
LEFT = "left"


class LastHeard(NamedTuple):
    """The newest heartbeat of a process, and when it was first seen (seconds of AwakeClock)."""

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
        self._clock = AwakeClock(2 * beat)
        self.step_began = self._clock.seconds()
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
            while self._heartbeat_of(self.rank).get("process") != os.getpid():
                self.folder.mkdir(parents=True, exist_ok=True)
                self._write_heartbeat()
            self._thread.start()

    def stop(self) -> None:
        """Ends both."""
        if self.count > 1:
            self._stopped.set()
            self._thread.join()

    def was_suspended(self) -> bool:
        """Returns whether this process could not run for so long that others may have given up."""
        return self._clock.asleep() > self.silence

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
        with suppress(OSError):  # of a full disk, which is why this process leaves
            self._write_heartbeat()
        if all(self._heartbeat_of(rank).get("busy") == LEFT for rank in range(self.count)):
            shutil.rmtree(self.folder, ignore_errors=True)

    def barrier(self) -> None:
        """Waits until every process has come to a barrier as often as this one.

        It comes before each collective operation: gloo waits there for 30 seconds only. Where the
        folder is gone, the first process has seen everybody and has cleaned up. Raises DataError
        where a process that is waited for is dead.
        """
        if self.count == 1:
            return
        self._barriers += 1
        self._write_heartbeat()
        for rank in range(self.count):
            looked = time.monotonic()
            while self._is_waited_for(rank):
                time.sleep(POLL)
                if time.monotonic() - looked > self.beat:
                    self._refuse_dead(rank)
                    looked = time.monotonic()

    def _refuse_dead(self, rank: int) -> None:
        """Raises DataError where a process has ended without having come to this barrier."""
        if is_dead(self._heartbeat_of(rank)) and self._is_waited_for(rank):
            raise DataError(
                f"{self.what}: step {self.step}: expected every device to live, got device {rank} "
                "dead: call again to go on"
            )

    def _is_waited_for(self, rank: int) -> bool:
        barriers = self._heartbeat_of(rank).get("barriers", 0)
        return barriers < self._barriers and self.folder.is_dir()

    def at_step(self, step: int) -> None:
        """Records that a step begins, and with it that the step before has ended."""
        now = self._clock.seconds()
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
        begin = self._clock.seconds()
        last = {rank: LastHeard({}, begin) for rank in range(self.count)}
        while not self._stopped.wait(self.beat):
            if os.getppid() != self._launcher:
                self._end("expected the launcher to live, got it gone")
            self._write_heartbeat_or_end()
            for rank in last:
                heartbeat = self._heartbeat_of(rank)
                if heartbeat != last[rank].heartbeat:
                    last[rank] = LastHeard(heartbeat, self._clock.seconds())
            if not any(is_in_a_debugger(heard.heartbeat) for heard in last.values()):
                self._judge(last)

    def _judge(self, last: dict[int, LastHeard]) -> None:
        """Ends the job where a process is silent, or where a step takes too long."""
        now = self._clock.seconds()
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
        return read_object(self.folder / str(rank))

    def _write_heartbeat_or_end(self) -> None:
        try:
            self._write_heartbeat()
        except OSError as error:
            self._end(f"expected room for a heartbeat, got {error}")

    def _write_heartbeat(self) -> None:
        with self._writing:
            self._beats += 1
            heartbeat = {
                "beat": self._beats,
                "step": self.step,
                "busy": self.busy,
                "at": self._line_of_code(),
                "barriers": self._barriers,
                **process_of_this(),
                "traced": self._is_traced(),
            }
            unfinished = self.folder / f"{self.rank}.tmp"
            try:
                unfinished.write_text(json.dumps(heartbeat), encoding="utf-8")
                os.replace(unfinished, self.folder / str(self.rank))
            except FileNotFoundError:  # the first process has seen everybody and has cleaned up
                pass

    def _line_of_code(self) -> str:
        """Returns the line that the main thread is at: file, number, function."""
        frame = sys._current_frames()[self._main_thread]
        return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"

    def _is_traced(self) -> bool:
        """Returns whether a debugger written in Python has the main thread."""
        frame: FrameType | None = sys._current_frames()[self._main_thread]
        while frame and not frame.f_trace:
            frame = frame.f_back
        return frame is not None

    def _end(self, complaint: str) -> NoReturn:
        """Ends this process at once: its main thread may wait for ever."""
        line = f"{self.what}: step {self.step}: {complaint} {TOLD_BY} {self.rank})"
        print(line, file=sys.stderr, flush=True)
        os._exit(2)


class Workspace(NamedTuple):
    """What each process of a launch works with: the part directory of the job, and the watchdog."""

    part: Path
    watchdog: Watchdog
