"""What the heartbeat of a process (`watchdog.py`) says about that process.

Only the processes of this machine can be looked at; those of another one count as alive.
"""

import os
from pathlib import Path
from typing import Any

from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.parents import is_gone

Heartbeat = dict[str, Any]


def process_of_this() -> Heartbeat:
    """Returns the part of a heartbeat that says which process has written it."""
    return {"process": os.getpid(), "machine": os.uname().nodename}


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


def is_of_the_dead(folder: Path) -> bool:
    """Returns whether all processes that have written heartbeats in a folder have ended.

    A folder without any is of the dead, too: a process that has only just made it makes it again.
    """
    names = [name for name in os.listdir(folder) if name.isdecimal()]
    heartbeats = [read_object(folder / name) for name in names]
    return all(map(is_dead, heartbeats))


def is_dead(heartbeat: Heartbeat) -> bool:
    """Returns whether the process of a heartbeat has ended."""
    return _is_of_this_machine(heartbeat) and is_gone(heartbeat["process"])


def _is_of_this_machine(heartbeat: Heartbeat) -> bool:
    return heartbeat.get("machine") == os.uname().nodename
