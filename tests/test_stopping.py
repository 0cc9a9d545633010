"""A signal ends work wherever it is, in one line; what must not be cut is not cut."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forked import free_port
from stopping_processes import default_signals

from rocketqa.jobs import stopping

ROOT = Path(__file__).parents[1]
BEGIN = """
import os, signal, sys, time
from rocketqa.jobs import stopping
from rocketqa.jobs.stopping import Stopped, run_until_stopped, signals_kill, signals_wait
me, number = os.getpid(), getattr(signal, sys.argv[1])
def work():
{body}
    return 0
sys.exit(run_until_stopped("a command", work))
"""
LINE = "a command: stopped; call again to go on\n"


def run(body: str, number: int = signal.SIGTERM) -> subprocess.CompletedProcess[str]:
    """Runs the body of a command that may send itself signals."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    command = [sys.executable, "-c", BEGIN.format(body=indented), signal.Signals(number).name]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=default_signals,
    )


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_is_one_line_and_the_status_of_the_signal(number, status):
    done = run("os.kill(me, number)\ntime.sleep(60)", number)
    assert (done.returncode, done.stderr) == (status, LINE)


def test_a_signal_before_the_work_begins_is_a_line():
    begin = "from threading import Thread\nThread.start = lambda _: os.kill(me, number)"
    begun = BEGIN.format(body="    pass").replace("def work", f"{begin}\ndef work")
    done = subprocess.run(
        [sys.executable, "-c", begun, "SIGTERM"],
        cwd=ROOT,
        env=os.environ | {"ROCKETQA_SCRIPTS": str(os.getpid())},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=default_signals,
    )
    assert (done.returncode, done.stderr) == (143, LINE)


def test_a_hangup_that_nohup_ignores_stays_ignored():
    command = [sys.executable, "-c", BEGIN.format(body="    os.kill(me, number)"), "SIGHUP"]
    words = " ".join(f"'{word}'" for word in command)
    done = subprocess.run(["sh", "-c", f"trap '' HUP; exec {words}"], cwd=ROOT, timeout=60)
    assert done.returncode == 0


def test_work_without_a_signal_keeps_its_status():
    done = run("return 3")
    assert (done.returncode, done.stderr) == (3, "")


def test_an_error_without_a_signal_is_an_error():
    done = run("raise ZeroDivisionError")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    "handler",
    [
        "except BaseException: raise ValueError('of a library')",
        "except BaseException as error: raise type(error)('words of a library')",
        "except BaseException: pass",
    ],
)
def test_a_library_that_catches_everything_does_not_hide_a_signal(handler):
    done = run(f"try: os.kill(me, number); time.sleep(60)\n{handler}\ntime.sleep(60)")
    assert (done.returncode, done.stderr) == (143, LINE)


def test_a_signal_where_python_ignores_exceptions_is_not_lost():
    deleting = "class Deleting:\n    def __del__(self): os.kill(me, number); time.sleep(0.01)"
    done = run(f"{deleting}\nDeleting()\ntime.sleep(60)")
    assert (done.returncode, done.stderr) == (143, LINE)


def test_repeated_signals_do_not_disturb_the_end():
    repeated = "os.kill(me, number); os.kill(me, number); os.kill(me, number)"
    body = f"try: {repeated}; time.sleep(60)\nfinally: {repeated}; print('cleaned up')"
    done = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (143, "cleaned up\n", LINE)


def test_work_that_only_notes_signals_ends_first():
    done = run("stopping.only_note_signals()\nos.kill(me, number)\nprint(stopping.is_requested())")
    assert done.stdout == "True\n"
    assert done.stderr == "a command: stopped after its work was done; call again to go on\n"


def test_signals_that_are_only_noted_do_not_interrupt_a_message_of_paddles_store():
    body = f"""
from threading import Thread
from rocketqa.distributed import store
connection = store.serve("127.0.0.1", {free_port()})
stopping.only_note_signals()
def disturb():
    while not ended:
        os.kill(me, number)
        time.sleep(0.0002)
ended = []
thread = Thread(target=disturb)
thread.start()
try:
    for count in range(1, 3001):
        assert connection.add("n", 1) == count
finally:
    ended.append(True)
    thread.join()
"""
    assert run(body.strip()).stderr == LINE.replace("stopped", "stopped after its work was done")


def test_the_third_signal_ends_work_that_only_notes_them():
    one = "os.kill(me, number); time.sleep(0.01)"
    body = f"stopping.SAME_REQUEST = 0\nstopping.only_note_signals()\n{one}\n{one}\nprint(2)\n{one}"
    done = run(f"{body}\nprint(3)")
    assert (done.returncode, done.stdout) == (143, "2\n")
    assert done.stderr.splitlines()[0].startswith("stopping at the end of this step; a third ")


def test_signals_wait_until_the_end_of_a_block():
    done = run("with signals_wait(): os.kill(me, number); print(1)\nprint(2)")
    assert (done.returncode, done.stdout, done.stderr) == (143, "1\n", LINE)


def test_a_signal_ends_a_wait_in_a_library_in_silence():
    done = run("with signals_kill(): os.kill(me, number)")
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")


def test_a_process_dies_with_its_parent():
    child = "import os, time; from rocketqa.jobs.parents import die_with; "
    child += "die_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # dead, and nobody has asked for its status
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_that_uses_the_package_keeps_its_own_handlers():
    assert not stopping.are_handled()
    with stopping.signals_wait():
        assert os.getpid()
    assert not stopping.is_requested()


def test_a_second_command_of_a_program_is_stopped_like_the_first():
    program = (
        "import os, signal, time\n"
        "from rocketqa.jobs.stopping import run_until_stopped\n"
        "assert run_until_stopped('first', lambda: 0) == 0\n"
        "def work():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(20)\n"
        "    return 0\n"
        "raise SystemExit(run_until_stopped('second', work))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "second: stopped; call again to go on\n")


def test_a_signal_while_a_folder_is_removed_waits_for_its_end(tmp_path):
    (tmp_path / "a/below").mkdir(parents=True)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from rocketqa.jobs.durable import remove\n"
        "from rocketqa.jobs.stopping import run_until_stopped\n"
        "def hook(event, arguments):\n"
        "    if event == 'os.rmdir':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
        "def work():\n"
        "    remove(Path(sys.argv[1]))\n"
        "    return 0\n"
        "raise SystemExit(run_until_stopped('removal', work))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=default_signals)
    assert (done.returncode, done.stderr) == (130, "removal: stopped; call again to go on\n")
    assert not (tmp_path / "a").exists()
