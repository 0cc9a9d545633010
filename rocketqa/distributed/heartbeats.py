"""Heartbeats: what each process of a launch says about itself through Paddle's store (`store.py`).

A thread sends the heartbeat of this process and fetches those of the others. It may wait for ever
for a machine that is cut off; `watchdog.py` judges by what has come, in another thread.
"""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rocketqa.distributed.store import Store
from rocketqa.jobs.parents import is_gone

Heartbeat = dict[str, Any]


class Exchange:
    """Sends the heartbeats of this process, and holds the newest of every process in `heard`.

    `rounds` counts how often the store has answered for every process.
    connect: opens a connection to the store. name: what the keys begin with. rank: the number of
    this process, 0 to count - 1. own: returns its heartbeat. beat: seconds between two heartbeats.
    """

    def __init__(
        self,
        connect: Callable[[], Store],
        name: str,
        rank: int,
        count: int,
        own: Callable[[], Heartbeat],
        beat: float,
    ):
        self.heard: list[Heartbeat] = [{} for _ in range(count)]
        self.rounds = 0
        self._connect = connect
        self._name = name
        self._rank = rank
        self._own = own
        self._beat = beat
        self._stopped = threading.Event()
        self._sent = [0] * count  # how many heartbeats each process had sent at the last look
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins to send and to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Sends a last heartbeat and ends, unless the store does not answer."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(self._beat)

    def _run(self) -> None:
        """Runs in the thread. A connection that is lost is a silence, which is judged as one."""
        with suppress(Exception):  # of any kind that Paddle's C++ code has for it
            store = self._connect()
            self._send(store)
            while not self._stopped.wait(self._beat):
                self._send(store)
                for rank in range(len(self.heard)):
                    self._fetch(store, rank)
                self.rounds += 1
            self._send(store)

    def _send(self, store: Store) -> None:
        store.set(f"{self._name}/heartbeat/{self._rank}", json.dumps(self._own()))
        store.add(f"{self._name}/sent/{self._rank}", 1)

    def _fetch(self, store: Store, rank: int) -> None:
        """Fetches a heartbeat that is new; to fetch one that was never sent would wait for ever."""
        sent = store.add(f"{self._name}/sent/{rank}", 0)
        if sent > self._sent[rank]:
            self._sent[rank] = sent
            text = store.get(f"{self._name}/heartbeat/{rank}")
            self.heard[rank] = {"beat": sent, **json.loads(text)}


def process_of_this() -> Heartbeat:
    """Returns the part of a heartbeat that says which process has sent it, and where it runs."""
    return {"process": os.getpid(), "machine": os.uname().nodename, "system": _system()}


def is_in_a_debugger(heartbeat: Heartbeat) -> bool:
    """Returns whether a debugger has the process of a heartbeat, which may stop it at any time."""
    if heartbeat.get("traced") or not _is_of_this_machine(heartbeat):
        return bool(heartbeat.get("traced"))
    try:
        status = Path(f"/proc/{heartbeat['process']}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    tracer = status.partition("TracerPid:")[2].split()
    return tracer[:1] not in ([], ["0"])


def is_dead(heartbeat: Heartbeat) -> bool:
    """Returns whether the process of a heartbeat has ended.

    Only the processes of this machine can be looked at; those of another one count as alive.
    """
    return _is_of_this_machine(heartbeat) and is_gone(heartbeat["process"])


def _is_of_this_machine(heartbeat: Heartbeat) -> bool:
    return heartbeat.get("system") == _system()


def _system() -> str:
    """Returns what only processes that see each other share: machines may share a name."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
    return f"{boot[:8]} {os.readlink('/proc/self/ns/pid_for_children')}"
