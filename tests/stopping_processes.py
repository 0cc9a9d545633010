"""Stops a command by a signal, and reads what it has left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from script_runs import ROOT, script_environment

DEADLINE = 120  # seconds
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Ending(NamedTuple):
    """How a command ended: its exit status, and the lines that it wrote."""

    status: int
    printed: list[str]
    complained: list[str]


def default_signals() -> None:
    """Lets signals end this process, although `nohup` or a shell in the background ignores them."""
    for number in STATUS:
        signal.signal(number, signal.SIG_DFL)


def stop(
    folder: Path,
    command: Sequence[object],
    is_time: Callable[[], bool],
    delay: float = 0.0,
    number: int = signal.SIGTERM,
    whole_group: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Ending:
    """Starts a command, waits until it is time, and `delay` seconds more, and sends a signal.

    whole_group: send it as Ctrl-C in a terminal does, to all processes of the command. It must
    leave no process and no temporary file.
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = script_environment(TMPDIR=str(temporary), **(variables or {}))
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,
    )
    deadline = time.monotonic() + DEADLINE
    while not is_time():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    printed, complained = process.communicate(timeout=DEADLINE)
    assert not list(temporary.iterdir())
    assert_none_is_left(folder)
    return Ending(process.returncode, printed.splitlines(), complained.splitlines())


def assert_none_is_left(folder: Path) -> None:
    """Fails where a process is left that works below the folder."""
    deadline = time.monotonic() + 10
    while processes_below(folder):
        assert time.monotonic() < deadline, processes_below(folder)
        time.sleep(0.05)


def processes_below(folder: Path) -> list[str]:
    """Returns the command lines of the processes whose temporary folder is below a folder."""
    variable = f"TMPDIR={folder}/tmp".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            if variable in variables:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def assert_stopped(ending: Ending, name: str, number: int, when: str = "") -> None:
    """Fails unless the command has ended by the signal, and has said so in one line."""
    words = f"stopped {when}".strip()
    *progress, line = ending.complained
    assert line == f"{name}: {words}; call again to go on"
    assert all(" a second, " in shown for shown in progress), progress
    assert ending.status == STATUS[signal.Signals(number)]
