"""Runs a command as several processes, one for each device, with Paddle's launcher.

    python -m rocketqa.distributed.launch PROCESSES COMMAND ...

In a script on several nodes (`nodes.py`), each node starts its share of the processes.

The launcher alone leaves a folder with the whole environment, says its own things, repeats what the
processes say, and has exit statuses of its own. Here the folder is temporary. What the first
process says is shown as it comes. Where the processes fail, each line that they said is shown once,
and the status is 2. A signal goes to the processes once; the status is then 128 + its number.
"""

from rocketqa.jobs import early_signals  # noqa: F401  Before the modules that take time.

# isort: split
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rocketqa.distributed import node_store
from rocketqa.distributed.addresses import with_interface
from rocketqa.distributed.launch_variables import SUSPENDED, TOLD_BY
from rocketqa.distributed.node_store import End, Share
from rocketqa.distributed.paddle_import import is_noise
from rocketqa.files.machine_errors import refuse_machine_error, tell_user
from rocketqa.jobs.parents import PARENT, children_of, command_of, die_with
from rocketqa.jobs.stopping import (
    BY_A_SIGNAL,
    Stopped,
    only_note_signals,
    run_until_stopped,
    signals_wait,
)
from rocketqa.jobs.temporary_folders import temporary_folder

POLL = 0.1  # seconds between two looks at the processes
LOG_OF_LAUNCHER = "launcher.log"
STOPPED = ": stopped"  # in the line of a process that a signal has stopped


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    processes, *command = sys.argv[1:] if argv is None else argv
    name = " ".join([Path(command[0]).name, *command[1:2]])
    try:
        return run_until_stopped(name, lambda: launch(int(processes), command, name))
    except Exception as error:  # noqa: BLE001  All that a user can mend is told in one line.
        return tell_user(name, error)


def launch(processes: int, command: Sequence[str], name: str) -> int:
    """Runs the command in so many processes and returns the exit status: 0, or 2 for a failure.

    Processes that a suspension has cut off from each other are started again. Raises Stopped where
    a signal comes, when all processes have ended.
    """
    nodes = node_store.of_script()
    status = None
    while status is None:
        if nodes:
            share = nodes.publish(processes, command[1:])
            own = launch_share(share, 0, command, name, never)
            status = _status_of_all([own, *nodes.ends_elsewhere(share)])
        else:
            status = _launch_once(processes, [], command, name).status
    return status


def never() -> bool:
    """Says that nothing ends a launch but its processes and signals."""
    return False


def launch_share(
    share: Share, node: int, command: Sequence[str], name: str, is_over: Callable[[], bool]
) -> End:
    """Runs a node's share of a launch and returns how it ended.

    is_over: asked again and again whether the launch is to be stopped. Raises Stopped then, too.
    """
    address = share.addresses[node]
    os.environ.update(with_interface(address))
    options = ["--ips", ",".join(share.addresses), "--start_port", str(share.port)]
    options += ["--host", address]
    return _launch_once(share.processes, options, command, name, is_over)


def _status_of_all(ends: Sequence[End]) -> int | None:
    """Returns the exit status of a launch on all nodes, and shows what the others have said."""
    for end in ends[1:]:
        for line in end.said:
            print(line, file=sys.stderr, flush=True)
    if None in [end.status for end in ends]:
        return None
    return max(end.status or 0 for end in ends)


def _launch_once(
    processes: int,
    options: Sequence[str],
    command: Sequence[str],
    name: str,
    is_over: Callable[[], bool] = never,
) -> End:
    """Starts the processes of this machine, and returns how they ended.

    options: of Paddle's launcher.
    """
    with signals_wait():
        folder = temporary_folder()
    with folder:
        logs = Logs(Path(folder.name), name)
        launcher = None
        try:
            with signals_wait():
                launcher = _start(processes, [*options, *command], logs.folder)
            while launcher.poll() is None:
                time.sleep(POLL)
                logs.show_news()
                if is_over():
                    raise Stopped
        except Stopped:
            only_note_signals()
            if launcher:
                end_launcher(launcher)
            raise Stopped(when=logs.when_stopped()) from None
        logs.show_news()
        return logs.end(launcher.returncode, processes)


def end_launcher(launcher: "subprocess.Popen[bytes]") -> None:
    """Asks the processes of Paddle's launcher to end, waits until they have, and ends the launcher.

    The launcher, where it is asked itself, kills after 30 seconds what has not ended: a training
    may take longer for its step and its state. So the launcher is frozen while they end.
    """
    launcher.send_signal(signal.SIGSTOP)
    asked: set[int] = set()
    while children := children_of(launcher.pid):
        for process in children - asked:
            # One that does not run its command yet, but still the launcher's, would miss a signal.
            if command_of(process) != command_of(launcher.pid):
                asked.add(process)
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
        time.sleep(POLL)
    launcher.kill()
    launcher.wait()


def _start(processes: int, words: Sequence[str], folder: Path) -> "subprocess.Popen[bytes]":
    """Starts the launcher in a session of its own, so that Ctrl-C does not reach it, too.

    words: further options, and the command.
    """
    launcher = [sys.executable, "-m", "paddle.distributed.launch"]
    launcher += ["--nproc_per_node", str(processes)]
    launcher += ["--log_dir", str(folder), "--log_level", "WARNING"]
    own = os.getpid()
    with (folder / LOG_OF_LAUNCHER).open("wb") as log:
        return subprocess.Popen(
            [*launcher, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _prepare(own),
        )


def _prepare(parent: int) -> None:
    """Prepares the process of the launcher, before it is one. What it starts will die with it."""
    die_with(parent)
    os.environ[PARENT] = str(os.getpid())
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Logs:
    """What the processes of a launch have said, in a folder: `workerlog.RANK`, one for each.

    name: of the command, which its lines for the user begin with.
    """

    def __init__(self, folder: Path, name: str):
        self.folder = folder
        self.name = name
        self._shown: set[str] = set()
        self._read = 0  # bytes of the first process's log

    def end(self, status: int, processes: int) -> End:
        """Returns how so many processes ended, and tells it; status: of the launcher."""
        if status == 0:
            return End(0, [])
        if self.tell_of_a_suspension():
            line = "a suspension cut the devices off; starting them again"
            print(f"{self.name}: {line}", file=sys.stderr)
            return End(None, [])
        if status > BY_A_SIGNAL and self.all_are_stopped():
            print(self.line_of_stopped(), file=sys.stderr)
            return End(status, [])  # a signal came to the processes alone
        self.refuse_failed_launcher()
        self.show_failure()
        if not self.have_complaint():
            got = f"got exit status {status}"
            print(
                f"{self.name}: expected {processes} processes to end well, {got}", file=sys.stderr
            )
        return End(2, list(filter(self._is_complaint, self._said_by_processes())))

    def show_news(self) -> None:
        """Shows the lines that the first process has ended since the last call."""
        log = self.folder / "workerlog.0"
        if not log.is_file():
            return
        with log.open("rb") as file:
            file.seek(self._read)
            news = file.read()
        whole_lines = news[: news.rfind(b"\n") + 1]
        self._read += len(whole_lines)
        for line in _lines(whole_lines):
            if STOPPED in line or SUSPENDED in line:
                continue
            self._shown.add(line)
            stream = sys.stderr if self._is_complaint(line) else sys.stdout
            print(line, file=stream, flush=True)

    def refuse_failed_launcher(self) -> None:
        """Raises DataError where the launcher has met a full disk, or another error of the machine,
        before its processes said anything.
        """
        if not any(self._said_by_processes()):
            said = (self.folder / LOG_OF_LAUNCHER).read_text(encoding="utf-8", errors="replace")
            refuse_machine_error(RuntimeError(said), self.folder)

    def show_failure(self) -> None:
        """Shows the log of each process that has said anything new; else the launcher's.

        That a process was stopped because another one failed is left out.
        """
        logs = self._logs()
        if not any(self._said_by_processes()):
            logs = [self.folder / LOG_OF_LAUNCHER]
        for log in logs:
            lines = [line for line in _lines(log.read_bytes()) if STOPPED not in line]
            if not self._shown.issuperset(lines):
                self._shown.update(lines)
                print("\n".join(lines), file=sys.stderr, flush=True)

    def tell_of_a_suspension(self) -> bool:
        """Returns whether a process has lost its connections because the machine was suspended."""
        return any(SUSPENDED in line for line in self._said_by_processes())

    def have_complaint(self) -> bool:
        """Returns whether a process has said what the user must mend."""
        return any(map(self._is_complaint, self._said_by_processes()))

    def _is_complaint(self, line: str) -> bool:
        is_of_the_command = line.startswith(f"{self.name}: ") and STOPPED not in line
        return is_of_the_command or TOLD_BY in line

    def line_of_stopped(self) -> str:
        """Returns the line of the first process that says that it was stopped, "" without one."""
        stopped = (line for line in self._said_by_processes() if STOPPED in line)
        return next(stopped, "")

    def when_stopped(self) -> str:
        """Returns when a signal stopped the processes, as they say it: "after step 57"."""
        words = self.line_of_stopped().partition(STOPPED)[2]
        return words.partition(";")[0].strip()

    def all_are_stopped(self) -> bool:
        """Returns whether every process says that it was stopped."""
        return all(STOPPED in "".join(_lines(log.read_bytes())) for log in self._logs())

    def _logs(self) -> list[Path]:
        return sorted(self.folder.glob("workerlog.*"))

    def _said_by_processes(self) -> Iterator[str]:
        for log in self._logs():
            yield from _lines(log.read_bytes())


def _lines(content: bytes) -> Iterator[str]:
    """Yields the lines without Paddle's noise."""
    for line in content.decode(errors="replace").splitlines():
        if not is_noise(line):
            yield line


if __name__ == "__main__":
    sys.exit(main())
