"""A progress bar shows itself to a person on the first device, and to nobody else."""

import sys

import pytest

from rocketqa.jobs.progress import WATCHED, bar


def shown_by_bar(capsys, monkeypatch, is_terminal: bool, watched: str, main: bool) -> str:
    """Returns what a bar over three items writes to standard error."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setenv(WATCHED, watched)
    assert list(bar(range(3), main, desc="encode")) == [0, 1, 2]
    return capsys.readouterr().err


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_is_shown_on_a_terminal_only(capsys, monkeypatch, is_terminal):
    shown = shown_by_bar(capsys, monkeypatch, is_terminal, watched="", main=True)
    assert ("encode" in shown) == is_terminal


def test_the_run_scripts_can_say_that_a_person_watches(capsys, monkeypatch):
    assert "encode" in shown_by_bar(capsys, monkeypatch, False, watched="yes", main=True)


def test_a_bar_of_another_device_is_silent(capsys, monkeypatch):
    assert shown_by_bar(capsys, monkeypatch, True, watched="yes", main=False) == ""
