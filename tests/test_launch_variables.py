"""Variables of Paddle's launcher are believed only in a launch: nobody trains alone unawares."""

import pytest

from rocketqa.distributed.launch_variables import number_in, refuse_unless_launched
from rocketqa.files.errors import DataError

NAMES = ("PADDLE_TRAINERS_NUM", "PADDLE_NNODES", "PADDLE_TRAINER_ENDPOINTS")


@pytest.fixture
def launcher(monkeypatch):
    """Returns a function that sets the launcher's variables, and no others."""

    def set_variables(processes: str = "", machines: str = "", endpoints: str = "") -> None:
        for name, value in zip(NAMES, (processes, machines, endpoints)):
            monkeypatch.setenv(name, value)
            if not value:
                monkeypatch.delenv(name)

    return set_variables


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"processes": "1", "machines": "1", "endpoints": "a:1"},
        {"processes": "1"},
        {"machines": "1"},
        {"processes": "2", "machines": "1", "endpoints": "a:1,a:2"},
        {"processes": "4", "machines": "2", "endpoints": "a:1,a:2,b:1,b:2"},
        {"processes": "2", "machines": "2", "endpoints": "a:1,b:1"},
    ],
)
def test_a_launch_and_a_process_without_one_go_on(launcher, variables):
    launcher(**variables)
    refuse_unless_launched()


@pytest.mark.parametrize(
    "variables, message",
    [
        (
            {"machines": "2"},
            "PADDLE_NNODES=2: expected a launch on 2 machines, got a process that trains alone",
        ),
        (
            {"processes": "1", "machines": "2", "endpoints": "a:1"},
            "PADDLE_NNODES=2: expected a launch on 2 machines, got a process that trains alone",
        ),
        (
            {"processes": "2"},
            "PADDLE_TRAINERS_NUM=2: expected a launch of 2 processes, got 0 in "
            "PADDLE_TRAINER_ENDPOINTS",
        ),
        (
            {"processes": "2", "machines": "2", "endpoints": "a:1"},
            "PADDLE_TRAINERS_NUM=2: expected a launch of 2 processes, got 1 in "
            "PADDLE_TRAINER_ENDPOINTS",
        ),
    ],
)
def test_processes_that_no_launch_has_are_refused_with_the_cure(launcher, variables, message):
    launcher(**variables)
    with pytest.raises(DataError) as error:
        refuse_unless_launched()
    cure = "start it with `python -m paddle.distributed.launch`, or unset this variable"
    assert str(error.value) == f"{message}: {cure}"


@pytest.mark.parametrize("value", ["two", "0", "-1", "2:4", "1.5"])
@pytest.mark.parametrize("name", NAMES[:2])
def test_a_variable_without_a_number_is_one_line(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=f"^{name}: expected a whole number from 1, got {value}$"):
        refuse_unless_launched()


def test_a_variable_that_is_not_set_or_empty_is_1(monkeypatch):
    monkeypatch.delenv("PADDLE_NNODES", raising=False)
    assert number_in("PADDLE_NNODES") == 1
    monkeypatch.setenv("PADDLE_NNODES", "")
    assert number_in("PADDLE_NNODES") == 1
