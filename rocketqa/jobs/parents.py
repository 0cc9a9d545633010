"""A process of ours ends with those that have started it, whatever has ended them.

Two variables say who they are. They are taken out of the environment: what this process starts
works for this process.

    ROCKETQA_PARENT    a process id. The kernel kills this process where its parent dies.
    ROCKETQA_SCRIPTS   the process ids of the run scripts above this process. Where one of them is
                       gone, this process receives SIGTERM, so that a training saves a state.
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of Linux' prctl: a signal to this process when its parent dies
PARENT = "ROCKETQA_PARENT"
SCRIPTS = "ROCKETQA_SCRIPTS"
LOOK = 1.0  # seconds between two looks at the scripts
DEAD = "ZX"  # states of a process that has ended: its parent has not asked for its status yet


def die_with(parent: int) -> None:
    """Lets the kernel kill this process when its parent dies, whose process id is given."""
    _die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment_of_child() -> dict[str, str]:
    """Returns the environment of a process that is to die with this one."""
    return os.environ | {PARENT: str(os.getpid())}


def end_with_those_above() -> None:
    """Lets this process end with those that the variables name; at once where one is gone."""
    for parent in _numbers_in(PARENT):
        _die_with_parent()
        if is_gone(parent):
            os._exit(1)
    scripts = _numbers_in(SCRIPTS)
    if scripts:
        threading.Thread(target=_watch, args=(scripts,), daemon=True).start()


def is_gone(process: int) -> bool:
    """Returns whether a process has ended."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    state = status.rpartition(")")[2].split()[0]
    return state in DEAD


def children_of(process: int) -> set[int]:
    """Returns the process ids of what a process has started and what has not ended."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    except OSError:
        return set()
    return {child for child in map(int, text.split()) if not is_gone(child)}


def command_of(process: int) -> bytes:
    """Returns the command line of a process, empty where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _numbers_in(variable: str) -> list[int]:
    """Returns the numbers in a variable, which is taken out of the environment."""
    return [int(word) for word in os.environ.pop(variable, "").split() if word.isdecimal()]


def _watch(scripts: Sequence[int]) -> None:
    while not any(map(is_gone, scripts)):
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
