"""Starting several processes as run_scripts/lib.sh does, and killing them at an instant."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toy_files import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 120  # seconds


def launch(script: Path, folder: Path, processes: int) -> None:
    """Runs a script as several processes; it gets the folder as its argument."""
    command = [sys.executable, "-m", "paddle.distributed.launch"]
    command += ["--nproc_per_node", str(processes), "--log_dir", str(folder / "log")]
    command += [str(script), str(folder)]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    logs = "".join(path.read_text() for path in (folder / "log").glob("workerlog.*"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def kill_at(
    command: Sequence[str],
    is_time: Callable[[], bool],
    delay: float,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> None:
    """Starts a command, waits until it is time, waits `delay` seconds more, and kills all its
    processes.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + DEADLINE
    while not is_time():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
