"""A launch shows what its processes say, once; it leaves no folder and no process behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from script_runs import ROOT, script_environment
from stopping_processes import assert_none_is_left, assert_stopped, stop

from rocketqa.distributed.launch import LOG_OF_LAUNCHER, Logs, end_launcher
from rocketqa.distributed.launch_variables import SUSPENDED, TOLD_BY
from rocketqa.files.errors import DataError
from rocketqa.jobs.parents import children_of, is_gone
from rocketqa.jobs.temporary_folders import remove_folders_of_the_dead

PROGRAM = """#!{python}
import os, sys, time
from pathlib import Path
from rocketqa.jobs.stopping import Stopped, run_until_stopped
rank, here = int(os.environ["PADDLE_TRAINER_ID"]), Path(__file__).parent
def work():
{body}
    return 0
sys.exit(run_until_stopped("program", work))
"""


def launch(folder: Path, body: str) -> list[str]:
    """Returns the command that launches the body of a program in two processes."""
    program = folder / "program"
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    program.write_text(PROGRAM.format(python=sys.executable, body=indented))
    program.chmod(0o755)
    return [sys.executable, "-m", "rocketqa.distributed.launch", "2", str(program)]


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = script_environment(TMPDIR=str(temporary), OMP_NUM_THREADS="2")
    done = subprocess.run(
        launch(folder, body),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not list(temporary.iterdir())
    return done


def test_a_launch_that_ends_well_shows_what_the_first_process_says_and_nothing_else(tmp_path):
    done = run(
        tmp_path, "print('step', rank, flush=True)\nprint('program: warned', file=sys.stderr)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "step 0\n", "program: warned\n")


def test_a_refusal_of_all_processes_is_one_line_and_status_2(tmp_path):
    done = run(tmp_path, "print('program: expected a file, got none', file=sys.stderr)\nreturn 2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "program: expected a file, got none\n"


def test_the_process_that_failed_is_shown_and_not_those_that_were_stopped(tmp_path):
    done = run(tmp_path, "if rank == 1: raise ZeroDivisionError\ntime.sleep(60)")
    assert done.returncode == 2
    first, *_, error, last = done.stderr.splitlines()
    assert (first, error) == ("Traceback (most recent call last):", "ZeroDivisionError")
    assert last.startswith("program: expected 2 processes to end well, got exit status ")
    assert "program: stopped" not in done.stderr


def test_a_signal_to_the_processes_alone_is_told(tmp_path):
    wait_for_the_other = "(here / str(rank)).touch()\n"
    wait_for_the_other += "while not (here / str(1 - rank)).exists(): time.sleep(0.01)\n"
    done = run(tmp_path, wait_for_the_other + "os.kill(os.getpid(), 15)\ntime.sleep(60)")
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr == "program: stopped; call again to go on\n"


def test_a_signal_waits_for_the_processes_and_tells_when_they_stopped(tmp_path):
    body = "try:\n    (here / str(rank)).touch()\n    time.sleep(60)\n"
    body += "except Stopped:\n    time.sleep(1.5)\n    raise Stopped(when='after step 7')"

    def have_begun() -> bool:
        return all((tmp_path / rank).is_file() for rank in "01")

    ending = stop(tmp_path, launch(tmp_path, body), have_begun, 0.0, signal.SIGINT, True)
    assert_stopped(ending, "program", signal.SIGINT, "after step 7")
    assert not ending.printed


def test_a_launcher_kills_no_process_that_takes_its_time_to_stop(tmp_path):
    body = "state = lambda: Path(f'/proc/{os.getppid()}/stat').read_text().split()[2]\n"
    body += "try:\n    (here / str(rank)).touch()\n    time.sleep(60)\nexcept Stopped:\n"
    body += "    if rank: time.sleep(1.5)\n    (here / str(rank)).write_text(state())\n    raise"

    def have_begun() -> bool:
        return all((tmp_path / rank).is_file() for rank in "01")

    assert stop(tmp_path, launch(tmp_path, body), have_begun).status == 143
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["T", "T"]  # it is frozen


@pytest.mark.parametrize(
    "body, ended",
    [
        ("sh -c 'trap \"exit 3\" TERM; echo; while :; do sleep .01; done' & wait", 1),
        ("trap '' TERM; echo; exec sleep 60", 0),
    ],
)
def test_a_launcher_ends_when_its_processes_have(body, ended):
    launcher = subprocess.Popen(["sh", "-c", body], stdout=subprocess.PIPE)
    assert launcher.stdout and launcher.stdout.readline() == b"\n"
    processes = children_of(launcher.pid)
    assert len(processes) == ended
    end_launcher(launcher)
    launcher.stdout.close()
    assert launcher.returncode == -signal.SIGKILL and all(map(is_gone, processes))


def test_devices_that_a_suspension_has_cut_off_are_started_again(tmp_path):
    body = "first = here / f'first{rank}'\nif first.exists(): return 0\nfirst.touch()\n"
    body += f"print('program: x: expected y, got one {SUSPENDED}', file=sys.stderr)\nreturn 2"
    done = run(tmp_path, body)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "program: a suspension cut the devices off; starting them again\n"


@pytest.mark.parametrize("delay", [0.1, 2.0])
def test_nothing_is_left_of_a_launch_that_is_killed(tmp_path, delay):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = script_environment(TMPDIR=str(temporary))
    process = subprocess.Popen(launch(tmp_path, "time.sleep(60)"), cwd=ROOT, env=environment)
    time.sleep(delay)
    process.kill()
    process.wait()
    assert_none_is_left(tmp_path)
    remove_folders_of_the_dead(temporary)  # as the next call does
    assert not list(temporary.iterdir())


def test_a_launcher_that_fails_before_its_processes_is_shown(tmp_path, capsys):
    (tmp_path / LOG_OF_LAUNCHER).write_text("No ccache found\nOSError: no port\n")
    logs = Logs(tmp_path, "program")
    logs.show_news()
    logs.show_failure()
    assert capsys.readouterr().err == "OSError: no port\n"
    assert not logs.have_complaint() and logs.when_stopped() == ""


def test_what_a_watchdog_says_is_a_complaint_and_shown_once(tmp_path, capsys):
    line = f"model: step 3: expected every device to answer, got none {TOLD_BY} 0)"
    (tmp_path / "workerlog.0").write_text(f"{line}\n")
    logs = Logs(tmp_path, "program")
    logs.show_news()
    logs.show_failure()
    assert capsys.readouterr() == ("", f"{line}\n")
    assert logs.have_complaint()


def test_a_full_disk_that_the_launcher_meets_is_one_line(tmp_path):
    (tmp_path / LOG_OF_LAUNCHER).write_text("Traceback:\nOSError: [Errno 28] No space left\n")
    with pytest.raises(DataError, match=": expected room on the disk, got "):
        Logs(tmp_path, "program").refuse_failed_launcher()


def test_news_are_whole_lines_each_shown_once(tmp_path, capsys):
    logs = Logs(tmp_path, "program")
    log = tmp_path / "workerlog.0"
    for text in ("one\ntw", "one\ntwo\n", "one\ntwo\nprogram: three\n"):
        log.write_text(text)
        logs.show_news()
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("one\ntwo\n", "program: three\n")
