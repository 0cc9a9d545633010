"""A thread makes the next results in their order, and its errors come when they are due."""

import signal
import threading
import time

import pytest

from rocketqa.files.errors import DataError
from rocketqa.jobs import stopping
from rocketqa.jobs.ahead import RESULTS_AHEAD, made_ahead


def threads_ahead() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("ahead")]


def test_results_come_in_the_order_of_their_arguments_and_one_thread_makes_them():
    makers = set()

    def square(number):
        makers.add(threading.current_thread())
        time.sleep(0.003 * (number % 3))
        return number * number

    with made_ahead(square, range(20)) as squares:
        assert list(squares) == [number * number for number in range(20)]
    assert len(makers) == 1 and threading.current_thread() not in makers


def test_the_next_results_are_made_while_one_is_in_use_and_no_more():
    made = []
    enough = threading.Event()

    def make(number):
        made.append(number)
        if number == RESULTS_AHEAD:
            enough.set()

    with made_ahead(make, range(100)) as results:
        next(results)
        assert enough.wait(10)
        assert made == list(range(RESULTS_AHEAD + 1))


def test_an_error_is_raised_in_the_place_of_its_own_result():
    def make(number):
        if number == 1:
            raise DataError(f"step {number}: expected a text, got none")
        return number

    with made_ahead(make, range(5)) as results:
        assert next(results) == 0
        with pytest.raises(DataError, match="^step 1: expected a text, got none$"):
            next(results)
    assert not threads_ahead()


def test_the_thread_ends_with_what_it_has_begun_where_the_work_ends_early():
    made = []

    def make(number):
        time.sleep(0.02)
        made.append(number)

    with pytest.raises(ZeroDivisionError), made_ahead(make, range(100)) as results:
        next(results)
        raise ZeroDivisionError
    assert not threads_ahead()
    assert len(made) <= RESULTS_AHEAD + 1


def test_a_signal_that_comes_while_a_result_is_awaited_ends_the_thread(monkeypatch):
    monkeypatch.setattr(stopping, "_requests", stopping._Requests())
    former = {number: signal.getsignal(number) for number in (*stopping.SIGNALS, signal.SIGALRM)}
    stopping.handle_signals()
    begun = threading.Event()

    def make(number):
        begun.set()
        time.sleep(0.3)

    def interrupt():
        begun.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(stopping.Stopped), made_ahead(make, range(100)) as results:
            next(results)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in former.items():
            signal.signal(number, handler)
    assert not threads_ahead()
