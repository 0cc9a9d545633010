"""A process that dies, raises, is stopped or gets stuck ends the whole job, in a minute and with
its name.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import paddle  # noqa: F401  The processes below are forked with it.
import pytest
from forked import Forked, free_port
from toy_files import ENVIRONMENT, dual_flags, launched, write_tiny_flight
from waiting import wait_until

from rocketqa.distributed import store
from rocketqa.distributed.watchdog import Watchdog

LIMIT = 60  # seconds
HOST = "127.0.0.1"
SILENCE = 1.0  # seconds
LIMITS = {"beat": 0.05, "silence": SILENCE, "patience": 0.5}  # seconds


def wait_for_others() -> None:
    while True:
        time.sleep(0.01)


def get_stuck() -> None:
    while True:
        time.sleep(0.01)


def work(folder: Path, port: int, rank: int, what: str) -> None:
    """Does what a device does, and ends by SystemExit or by its watchdog."""
    if what == "debugged" and rank == 1:
        sys._getframe().f_trace = lambda *_: None
    opened = store.connect(HOST, port) if rank else store.serve(HOST, port)
    watchdog = Watchdog(
        lambda: store.connect(HOST, port),
        "job",
        "a training",
        rank,
        2,
        **LIMITS,
    )
    watchdog.start()
    for step in (1, 2, 3):
        watchdog.at_step(step)
        time.sleep(0.02)
    watchdog.at_step(4)
    (folder / f"step4.{rank}").touch()
    DOES[what](watchdog, rank)
    assert opened


def end(watchdog: Watchdog, rank: int) -> None:
    watchdog.stop()


def save(watchdog: Watchdog, rank: int) -> None:
    if rank == 1:
        with watchdog.busy_with("saving"):
            time.sleep(2)
        watchdog.at_step(5)
    else:
        time.sleep(2.2)
    watchdog.stop()


def finish(watchdog: Watchdog, rank: int) -> None:
    watchdog.no_more_steps()
    time.sleep(2.2 - 0.2 * rank)
    watchdog.stop()


def wait_long(watchdog: Watchdog, rank: int) -> None:
    time.sleep(4)
    watchdog.leave()
    print("suspended", watchdog.was_suspended())
    time.sleep(1 - rank)  # the store is in the first process


def wait_long_after_the_steps(watchdog: Watchdog, rank: int) -> None:
    watchdog.no_more_steps()
    wait_long(watchdog, rank)


def meet_twice(watchdog: Watchdog, rank: int, last: int = 1) -> None:
    watchdog.no_more_steps()
    time.sleep(3.0 * (rank == last))
    watchdog.barrier()
    begin = time.monotonic()
    watchdog.barrier()
    watchdog.stop()
    assert time.monotonic() - begin < 1


DOES = {
    "stuck": lambda _, rank: get_stuck() if rank == 1 else wait_for_others(),
    "end": end,
    "busy": save,
    "finish": finish,
    "suspended": wait_long_after_the_steps,
    "debugged": wait_long,
    "barrier": meet_twice,
    "barrier of the first": lambda watchdog, rank: meet_twice(watchdog, rank, last=0),
}


def watched(folder: Path, what: str) -> list[Forked]:
    port = free_port()
    return [
        Forked(folder, f"{rank}.log", lambda rank=rank: work(folder, port, rank, what))
        for rank in (0, 1)
    ]


def test_a_step_that_does_not_end_says_where_every_device_is(tmp_path):
    for process in watched(tmp_path, "stuck"):
        status, complaint = process.ending()
        assert status == 2
        if "expected the step to end" in complaint:
            break
    assert complaint.startswith("a training: step 4: expected the step to end, got it lasting ")
    assert "device 0 at test_watchdog.py:" in complaint and " wait_for_others" in complaint
    assert "device 1 at test_watchdog.py:" in complaint and " get_stuck" in complaint


@pytest.mark.parametrize("rank", [0, 1])
def test_a_device_without_a_heartbeat_is_named(tmp_path, rank):
    processes = watched(tmp_path, "finish")
    wait_for_steps(tmp_path)
    processes[rank].send_signal(signal.SIGSTOP)
    status, complaint = processes[1 - rank].ending()
    processes[rank].kill()
    assert status == 2
    assert re.search(rf"a training: step 4: {SILENT} device {rank} for [1-9]\d* s", complaint)


SILENT = "expected every device to answer, got nothing from"


@pytest.mark.parametrize("what", ["busy", "finish", "barrier"])
def test_nobody_is_ended_who_waits_for_a_device_that_saves(tmp_path, what):
    for process in watched(tmp_path, what):
        assert process.ending() == (0, "")


def stop_for(seconds: float, *processes: Forked) -> None:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    for process in processes:
        process.send_signal(signal.SIGCONT)


def wait_for_steps(folder: Path) -> None:
    wait_until(lambda: all((folder / f"step4.{rank}").exists() for rank in (0, 1)))
    time.sleep(0.3)


def test_a_suspension_of_all_devices_accuses_nobody_and_is_known(tmp_path):
    processes = watched(tmp_path, "suspended")
    wait_for_steps(tmp_path)
    for _ in range(2):
        stop_for(1.3, *processes)  # longer than the silence of a dead device
        time.sleep(0.1)
    for process in processes:
        assert process.ending() == (0, "suspended True\n")


def test_a_device_that_dies_in_a_suspension_is_named_after_it(tmp_path):
    first, second = watched(tmp_path, "suspended")
    wait_for_steps(tmp_path)
    second.kill()
    stop_for(1.3, first)
    status, complaint = first.ending()
    assert status == 2 and f"{SILENT} device 1 for 1 s" in complaint


def test_a_device_that_a_debugger_has_stopped_is_waited_for(tmp_path):
    first, second = watched(tmp_path, "debugged")
    wait_for_steps(tmp_path)
    stop_for(2, second)
    for process in (first, second):
        assert process.ending() == (0, "suspended False\n") or process is second


@pytest.mark.parametrize("rank, what", [(0, "barrier of the first"), (1, "barrier")])
def test_a_device_that_dies_before_a_barrier_is_named_there(tmp_path, rank, what):
    processes = watched(tmp_path, what)
    wait_for_steps(tmp_path)
    processes[rank].kill()
    _, complaint = processes[1 - rank].ending()
    dead = f"expected every device to live, got device {rank} dead: call again to go on"
    assert f"a training: step 4: {dead}" in complaint


def test_a_job_that_ends_well_says_nothing(tmp_path):
    for process in watched(tmp_path, "end"):
        assert process.ending() == (0, "")


def workers(folder: Path) -> list[int]:
    """Returns the processes of the launch in this folder, the launcher left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if (
            str(folder / "rocketqa_command.py") in words
            and "paddle.distributed.launch" not in words
        ):
            found.append(int(path.parent.name))
    return sorted(found)


@pytest.fixture
def training(tmp_path):
    """A training of two processes in the middle of its steps."""
    write_tiny_flight(tmp_path, dropout=0.1)
    process = subprocess.Popen(
        launched(
            tmp_path,
            2,
            "train-dual-encoder",
            dual_flags(tmp_path, tmp_path / "x", 2, epochs=100000, **{"save-every": 5}),
        ),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "x.part").glob("state-*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    yield tmp_path, process
    for pid in workers(tmp_path):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def assert_ended(folder: Path, process: subprocess.Popen) -> str:
    """Everything has ended within the limit, badly; nothing is finished. Returns what the workers
    said.
    """
    begin = time.monotonic()
    process.wait(timeout=LIMIT)
    while workers(folder):
        assert time.monotonic() - begin < LIMIT, "processes left behind"
        time.sleep(0.2)
    assert (
        process.returncode != 0
        and not (folder / "x").exists()
        and list((folder / "x.part").glob("state-*"))
    )
    return "".join(path.read_text() for path in (folder / "log").glob("workerlog.*"))


def test_a_stopped_device_ends_the_job_with_stage_step_and_device(training):
    folder, process = training
    os.kill(workers(folder)[1], signal.SIGSTOP)
    said = assert_ended(folder, process)
    assert (
        f"{folder}/x: step " in said
        and "expected every device to answer, got nothing from device 1" in said
    )


def test_a_killed_device_ends_the_job(training):
    folder, process = training
    os.kill(workers(folder)[0], signal.SIGKILL)
    assert_ended(folder, process)


def test_devices_whose_launcher_is_killed_end_too(training):
    folder, process = training
    process.kill()
    assert "expected the launcher to live, got it gone" in assert_ended(folder, process)
