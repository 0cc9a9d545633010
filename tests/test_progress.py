"""Progress is one bar on a terminal, whole lines elsewhere, and nothing from other devices."""

import os
import pty
import sys

import pytest

from rocketqa.jobs import progress
from rocketqa.jobs.progress import TERMINAL, bar


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    monkeypatch.delenv(TERMINAL, raising=False)
    monkeypatch.setattr(progress, "SHORT_SECONDS", 0.0)


def test_short_work_has_no_line(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SHORT_SECONDS", 60.0)
    assert list(bar(range(3), desc="rows.tsv")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_without_a_terminal_the_end_is_a_line(capsys):
    with bar(total=4000, initial=1000, unit="text", desc="encode many") as texts:
        texts.update(3000)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("encode many: text 4,000 of 4,000, ")
    assert " a second, in 00:0" in line


def test_a_line_has_the_values_the_rate_and_the_time_that_is_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with bar(total=20, initial=10, unit="step", desc="model") as steps:
        steps.set_postfix(loss="0.693", refresh=False)
        steps._time = lambda: steps.start_t + 5  # five seconds for five steps
        steps.update(5)
        line = steps.line()
    shown = "model: step 15 of 20, loss=0.693, 1 a second, 00:05 left"
    assert line == shown
    assert capsys.readouterr().err.splitlines()[0] == shown


def test_lines_are_far_apart(capsys):
    with bar(total=300, unit="step", desc="model") as steps:
        for _ in range(299):
            steps.update()
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total", [None, 5])
def test_work_that_fails_has_no_last_line(capsys, total):
    with pytest.raises(ZeroDivisionError), bar(total=total, unit="text", desc="x") as texts:
        texts.update(5)
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_items_whose_reader_fails_have_no_last_line(capsys):
    with pytest.raises(ZeroDivisionError):
        for row in bar(range(3), desc="rows.tsv"):
            row / 0
    assert capsys.readouterr().err == ""


def test_bytes_have_a_unit(capsys):
    with bar(total=2500000, unit="B", unit_scale=True, desc="a.gz") as received:
        received.update(2500000)
    assert capsys.readouterr().err.startswith("a.gz: B 2.50M of 2.50M, ")


def test_a_terminal_has_one_bar_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(bar(range(3), desc="encode")) == [0, 1, 2]
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and shown.endswith("\n")
    assert "\rencode: 100%" in shown


def test_the_bar_of_a_launch_goes_to_the_terminal_of_the_run_script(capsys, monkeypatch):
    terminal, end = pty.openpty()
    monkeypatch.setenv(TERMINAL, os.ttyname(end))
    assert list(bar(range(3), desc="encode")) == [0, 1, 2]
    assert b"encode: 100%" in os.read(terminal, 4096)
    assert capsys.readouterr().err == ""


def test_a_terminal_that_is_gone_is_none(capsys, monkeypatch):
    monkeypatch.setenv(TERMINAL, "/dev/no-such-terminal")
    assert list(bar(range(3), desc="encode")) == [0, 1, 2]
    assert capsys.readouterr().err.startswith("encode: it 3 of 3, ")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_of_another_device_is_silent(capsys, monkeypatch, is_terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert list(bar(range(3), main=False, desc="encode")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
