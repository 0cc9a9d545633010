"""Failure detection and barriers: the processes of a launch watch and wait for each other.

A process that dies takes the others of its node with it: Paddle's launcher sees to that. A process
that is stopped, swapped out, stuck or cut off leaves them waiting: on GPUs for half an hour; on
CPUs gloo gives up after 30 seconds, also on a process that only saves a state or has the longer
texts. Therefore each process sends heartbeats through Paddle's store (`heartbeats.py`): the step,
what the process is busy with, and the line of code that it is at. A thread judges those of the
others. `barrier` waits for the others for as long as they live.

A process judges others by what it can know. It counts only the seconds in which it was awake
itself: a suspended machine and stopped processes accuse nobody. A process that a debugger has
stopped is waited for. The store is in the process of device 0: where nothing comes from the store,
nothing comes from device 0.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from rocketqa.distributed.awake_clock import AwakeClock
from rocketqa.distributed.heartbeats import (
    Exchange,
    Heartbeat,
    is_dead,
    is_in_a_debugger,
    process_of_this,
)
from rocketqa.distributed.launch_variables import TOLD_BY
from rocketqa.distributed.store import Store
from rocketqa.files.errors import DataError

BEAT = 2.0  # seconds between two heartbeats
# Seconds without a heartbeat after which a process counts as stopped; gloo gives up after 30.
SILENCE = 20.0
# The limit of a step that every device is at, in seconds: the larger of this and ten times the
# longest step so far.
PATIENCE = 40.0
# Seconds between two looks at the store while a process waits at a barrier: a twentieth of the
# seconds that it has waited, within these limits.
SHORTEST_PAUSE = 0.0002
LONGEST_PAUSE = 0.05

STEPPING = "stepping"
LEFT = "left"


class LastHeard(NamedTuple):
    """The newest heartbeat of a process, and when it was first seen (seconds of AwakeClock)."""

    heartbeat: Heartbeat
    seen: float


class Watchdog:
    """Watches from `start` to `stop`. A process that is alone is not watched.

    connect: opens a connection to the store. name: what the keys in it begin with, another one for
    each watchdog. what: the name that error lines begin with. rank: the number of this process, 0
    to count - 1. beat, silence, patience: seconds, see the constants above. kind: what is watched.
    """

    def __init__(
        self,
        connect: Callable[[], Store],
        name: str,
        what: str,
        rank: int,
        count: int,
        beat: float = BEAT,
        silence: float = SILENCE,
        patience: float = PATIENCE,
        kind: str = "device",
    ):
        self.what = what
        self.rank = rank
        self.count = count
        self.beat = beat
        self.silence = silence
        self.patience = patience
        self.kind = kind
        self.step = 0
        self.busy = "starting"
        self._clock = AwakeClock(2 * beat)
        self.step_began = self._clock.seconds()
        self.longest_step = 0.0
        self._launcher = os.getppid()
        self._main_thread = threading.get_ident()
        self._name = name
        self._barriers = 0
        self._stopped = threading.Event()
        self._connect = connect
        self._exchange = Exchange(connect, name, rank, count, self._heartbeat, beat)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begins to send heartbeats and to judge those of the others."""
        if self.count > 1:
            self._exchange.start()
            self._thread.start()
            self._store = self._connect()  # of the main thread

    def stop(self) -> None:
        """Ends both, when all work is done. The process with the store is the last one to go."""
        if self.count == 1:
            return
        self._stopped.set()
        self._thread.join()
        self._exchange.stop()
        left = self._store.add(f"{self._name}/left", 1)
        began = time.monotonic()
        while self.rank == 0 and left < self.count and time.monotonic() - began < self.silence:
            time.sleep(SHORTEST_PAUSE)
            left = self._store.add(f"{self._name}/left", 0)

    def was_suspended(self) -> bool:
        """Returns whether this process could not run for so long that others may have given up."""
        return self._clock.asleep() > self.silence

    def leave(self) -> None:
        """Ends both where the work has failed or is stopped, whoever else still works."""
        if self.count == 1:
            return
        self.busy = LEFT
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._exchange.stop()

    def barrier(self) -> None:
        """Waits until every process has come to a barrier as often as this one.

        It comes before each collective operation: gloo waits there for 30 seconds only. Raises
        DataError where a process is dead.
        """
        if self.count == 1:
            return
        self._barriers += 1
        began = looked = time.monotonic()
        arrived = self._arrive(1)
        while arrived < self._barriers * self.count:
            waited = time.monotonic() - began
            time.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, waited / 20)))
            if time.monotonic() - looked > self.beat:
                self._refuse_dead()
                looked = time.monotonic()
            arrived = self._arrive(0)

    def _arrive(self, processes: int) -> int:
        """Counts this process as arrived or not; returns how many have, at all barriers so far."""
        try:
            return self._store.add(f"{self._name}/arrived", processes)
        except Exception:  # noqa: BLE001  The store is gone; Paddle's C++ code has any kind for it.
            while True:
                time.sleep(self.beat)  # the launcher or the other thread ends this process soon
                self._refuse_dead()

    def _refuse_dead(self) -> None:
        """Raises DataError where a process has ended, while this one waits for it."""
        for rank, heartbeat in enumerate(self._exchange.heard):
            if is_dead(heartbeat):
                raise DataError(
                    f"{self.what}: step {self.step}: expected every {self.kind} to live, got "
                    f"{self.kind} {rank} dead: call again to go on"
                )

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
        """Runs in the thread: judges the heartbeats of the others, until `stop`."""
        begin = self._clock.seconds()
        last = {rank: LastHeard({}, begin) for rank in range(self.count)}
        rounds, answered = 0, begin
        while not self._stopped.wait(self.beat):
            if os.getppid() != self._launcher:
                self._end("expected the launcher to live, got it gone")
            if self._exchange.rounds != rounds:
                rounds, answered = self._exchange.rounds, self._clock.seconds()
            for rank, heartbeat in enumerate(self._exchange.heard):
                if heartbeat != last[rank].heartbeat:
                    last[rank] = LastHeard(heartbeat, self._clock.seconds())
            if not any(is_in_a_debugger(heard.heartbeat) for heard in last.values()):
                self._refuse_silent(last, answered)
                self._refuse_stuck(last)

    def _refuse_silent(self, last: dict[int, LastHeard], answered: float) -> None:
        """Ends the job where a process is silent.

        answered: when the store had last answered for every process. What it did not answer says
        nothing about them: it is in the process of device 0.
        """
        silent = {rank: answered - seen for rank, (_, seen) in last.items()}
        silent[0] = max(silent[0], self._clock.seconds() - answered)
        for rank, seconds in silent.items():
            if seconds > self.silence:
                self._end(
                    f"expected every {self.kind} to answer, got nothing from {self.kind} {rank} "
                    f"for {seconds:.0f} s, last {last[rank].heartbeat}"
                )

    def _refuse_stuck(self, last: dict[int, LastHeard]) -> None:
        """Ends the job where a step takes too long that every process is at."""
        # A device that has just saved is at its step for a moment, the waiting ones for long.
        seconds = min(heard.heartbeat.get("seconds", 0) for heard in last.values())
        too_long = seconds > max(self.patience, 10 * self.longest_step)
        all_stepping = all(heard.heartbeat.get("busy") == STEPPING for heard in last.values())
        if self.longest_step and too_long and all_stepping:
            places = [
                f"{self.kind} {rank} at {heard.heartbeat.get('at')}" for rank, heard in last.items()
            ]
            self._end(
                f"expected the step to end, got it lasting {seconds:.0f} s: {', '.join(places)}"
            )

    def _heartbeat(self) -> Heartbeat:
        """Returns the heartbeat of this process."""
        return {
            "step": self.step,
            "busy": self.busy,
            "seconds": self._clock.seconds() - self.step_began,
            "at": self._line_of_code(),
            **process_of_this(),
            "traced": self._is_traced(),
        }

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
        place = f"{self.what}: step {self.step}" if self.step else self.what
        line = f"{place}: {complaint} {TOLD_BY} {self.kind} {self.rank})"
        print(line, file=sys.stderr, flush=True)
        os._exit(2)


class Workspace(NamedTuple):
    """What each process of a launch works with: the part directory of the job, and the watchdog."""

    part: Path
    watchdog: Watchdog
