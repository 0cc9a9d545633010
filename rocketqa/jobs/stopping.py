"""Stopping by a signal: SIGINT (Ctrl-C), SIGTERM, and SIGHUP unless `nohup` has it ignored.

A signal raises `Stopped` in the main thread, wherever that is: work on disk is in pieces that are
complete or absent, so the next call goes on from them. A training, whose newest steps are in memory
alone, calls `only_note_signals` and asks (`is_requested`) at the end of each step.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rocketqa.jobs.parents import end_with_those_above

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A signal that comes so many seconds after another is the same request: Paddle's launcher sends
# three, each .2 s after the other, or later where the machine has too much to do; and Ctrl-C
# reaches a run script and its verb alike.
SAME_REQUEST = 2.0
# Seconds after which Stopped is raised again: a library may have caught it.
RAISE_AGAIN = 3.0
RAISE_SOON = 0.05  # where Python has ignored it
BY_A_SIGNAL = 128  # the exit status of a process that a signal ended is 128 + its number


class Stopped(KeyboardInterrupt):
    """Raised where a signal has asked this process to stop.

    when: words for the user, such as "after step 57". It is no Exception: what handles errors lets
    it pass.
    """

    def __init__(self, *words: object, when: str = ""):
        super().__init__(*words)  # a library may raise it again with words of its own
        self.when = when


class _Requests:
    """The requests to stop that this process has received."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew: a program may run one command after another."""
        self.first: int | None = None  # number of the signal
        self.count = 0
        self.newest = 0.0  # seconds of time.monotonic
        self.only_noted = False

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handles a signal. Where signals are only noted, the third request raises."""
        now = time.monotonic()
        is_same = self.count > 0 and now - self.newest < SAME_REQUEST
        self.newest = now
        if is_same:
            return
        self.count += 1
        if self.first is None:
            self.first = number
        if not self.only_noted or self.count > 2:
            signal.setitimer(signal.ITIMER_REAL, RAISE_AGAIN, RAISE_AGAIN)
            raise Stopped
        if self.count == 2:
            line = "stopping at the end of this step; a third signal stops at once, without saving"
            os.write(sys.stderr.fileno(), f"{line}\n".encode())  # print may be at work itself


_requests = _Requests()


def is_requested() -> bool:
    """Returns whether a signal has asked this process to stop."""
    return _requests.first is not None


def raise_if_requested() -> None:
    """Raises Stopped where a signal has come, unless signals are only noted."""
    if is_requested() and not _requests.only_noted:
        raise Stopped


def only_note_signals() -> None:
    """From now on a signal does not raise: whoever calls this asks for it when it is time.

    Nor does it interrupt what this process waits for. Paddle's store takes an interrupted message
    for a lost connection.
    """
    _requests.only_noted = True
    for number in SIGNALS:
        if signal.getsignal(number) == _requests.receive:
            signal.siginterrupt(number, False)


def handle_signals() -> None:
    """Makes the signals ask this process to stop."""
    for number in SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        signal.signal(number, _requests.receive)
    signal.signal(signal.SIGALRM, lambda *_: raise_if_requested())


def are_handled() -> bool:
    """Returns whether the signals ask this process to stop."""
    return signal.getsignal(signal.SIGTERM) == _requests.receive


@contextmanager
def signals_kill() -> Iterator[None]:
    """Lets signals end this process at once and in silence until the end of the block.

    It is for waiting in a library that lets no Python code run.
    """
    handled = [number for number in SIGNALS if signal.getsignal(number) == _requests.receive]
    for number in handled:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, _requests.receive)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Lets signals wait until the end of the block. Processes that it starts never receive any."""
    were_only_noted = _requests.only_noted
    _requests.only_noted = True  # another thread of a library may receive the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        _requests.only_noted = were_only_noted
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    raise_if_requested()


def run_until_stopped(name: str, work: Callable[[], int]) -> int:
    """Does the work of a command and returns its exit status.

    Where a signal stops it, one line says so, the processes of its pools end, and the status is 128
    + the number of the signal. Signals that follow the end of the work are ignored, so that nothing
    disturbs the removal of temporary folders.
    """
    _requests.forget()  # those of an earlier command of this program
    when = "after its work was done"
    try:
        handle_signals()
        sys.unraisablehook = _pass_over
        end_with_those_above()
        status = work()
        only_note_signals()
    except Stopped as stopped:
        _requests.first = _requests.first or signal.SIGTERM  # of another process of the launch
        when = stopped.when
    except Exception:
        if not is_requested():
            raise
        when = ""  # a library has turned Stopped into an error of its own
    finally:
        only_note_signals()
        for number in (*SIGNALS, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
    if not is_requested():
        return status
    return _end(name, when)


def _pass_over(error: "sys.UnraisableHookArgs") -> None:
    """Raises Stopped again, soon, where Python cannot pass it on, such as from `__del__`."""
    if isinstance(error.exc_value, Stopped):
        signal.setitimer(signal.ITIMER_REAL, RAISE_SOON, RAISE_AGAIN)
    else:
        sys.__unraisablehook__(error)


def _end(name: str, when: str) -> int:
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.kill()
    words = f"stopped {when}".strip()
    try:
        print(f"{name}: {words}; call again to go on", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone
        pass
    return BY_A_SIGNAL + (_requests.first or 0)
