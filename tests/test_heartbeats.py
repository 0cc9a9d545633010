"""A heartbeat tells whether its process is dead, and whether a debugger has it."""

import os
import subprocess
import sys

import pytest
from forked import free_port
from waiting import wait_until

from rocketqa.distributed import store
from rocketqa.distributed.heartbeats import Exchange, is_dead, is_in_a_debugger, process_of_this

TRACED = "import ctypes, time; ctypes.CDLL(None).ptrace(0, 0, 0, 0); print(1, flush=True)"
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def dead() -> dict:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process_of_this() | {"process": process.pid}


def test_a_process_that_has_ended_is_dead(dead):
    assert is_dead(dead)
    assert not is_dead(process_of_this())
    assert not is_dead({})  # nothing is known of it yet


def test_processes_of_another_machine_count_as_alive_also_where_machines_share_a_name(dead):
    assert not is_dead(dead | {"system": "of another boot"})
    assert is_dead(dead | {"machine": "another name"})


def test_each_process_hears_the_newest_heartbeat_of_each():
    port = free_port()
    opened = store.serve(HOST, port)
    said = [{"step": 1}, {"step": 2}]

    def exchange(rank: int) -> Exchange:
        return Exchange(lambda: store.connect(HOST, port), "j", rank, 3, lambda: said[rank], 0.02)

    first, second = exchange(0), exchange(1)
    first.start()
    second.start()
    wait_until(lambda: second.heard[0].get("step") == 1 and first.heard[1].get("step") == 2)
    before = second.heard[0]["beat"]
    said[0]["step"] = 7
    wait_until(lambda: second.heard[0].get("step") == 7)
    assert second.heard[0]["beat"] > before
    assert first.heard[2] == {}  # it has not come yet, and nobody waits for it
    first.stop()
    said[0]["step"] = 8
    second.stop()
    assert opened and second.heard[0].get("step") == 7


def test_a_process_with_a_tracer_is_in_a_debugger():
    command = [sys.executable, "-c", f"{TRACED}; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        heartbeat = process_of_this() | {"process": process.pid}
        assert is_in_a_debugger(heartbeat)
        assert not is_in_a_debugger(heartbeat | {"system": "of another boot"})
        process.kill()


def test_no_process_is_in_a_debugger_unless_it_is_traced():
    assert not is_in_a_debugger({})
    assert not is_in_a_debugger(process_of_this() | {"traced": False, "process": os.getppid()})
    assert is_in_a_debugger({"traced": True, "machine": "another"})
