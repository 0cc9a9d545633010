"""A heartbeat tells whether its process is dead, and whether a debugger has it."""

import json
import os
import subprocess
import sys

import pytest

from rocketqa.distributed.heartbeats import is_in_a_debugger, is_of_the_dead, process_of_this

TRACED = "import ctypes, time; ctypes.CDLL(None).ptrace(0, 0, 0, 0); print(1, flush=True)"


@pytest.fixture(scope="module")
def dead() -> dict:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process_of_this() | {"process": process.pid}


def test_heartbeats_of_processes_that_have_ended_are_of_the_dead(tmp_path, dead):
    assert is_of_the_dead(tmp_path)  # killed before its first heartbeat
    (tmp_path / "0").write_text(json.dumps(dead))
    (tmp_path / "1.tmp").write_text("")
    assert is_of_the_dead(tmp_path)
    (tmp_path / "1").write_text(json.dumps(process_of_this()))
    assert not is_of_the_dead(tmp_path)


def test_processes_of_another_machine_count_as_alive(tmp_path, dead):
    (tmp_path / "0").write_text(json.dumps(dead | {"machine": "another"}))
    assert not is_of_the_dead(tmp_path)


def test_a_process_with_a_tracer_is_in_a_debugger():
    command = [sys.executable, "-c", f"{TRACED}; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        heartbeat = process_of_this() | {"process": process.pid}
        assert is_in_a_debugger(heartbeat)
        assert not is_in_a_debugger(heartbeat | {"machine": "another"})
        process.kill()


def test_no_process_is_in_a_debugger_unless_it_is_traced():
    assert not is_in_a_debugger({})
    assert not is_in_a_debugger(process_of_this() | {"traced": False, "process": os.getppid()})
    assert is_in_a_debugger({"traced": True, "machine": "another"})
