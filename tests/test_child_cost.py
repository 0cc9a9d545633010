"""The cost of a command is that of its process; a command that fails says why."""

import sys

import pytest

from rocketqa.benchmark.child_cost import Failure, cost_of


def test_time_and_memory_are_those_of_the_command():
    sleeping = cost_of([sys.executable, "-c", "import time; time.sleep(0.2)"])
    large = cost_of([sys.executable, "-c", "x = b'x' * (700 << 20)"])
    assert sleeping.seconds >= 0.2 > sleeping.processor_seconds
    assert 700 << 20 < large.peak_memory < 800 << 20


def test_variables_reach_the_command_and_its_last_line_tells_why_it_failed():
    code = "import os, sys; print('first', file=sys.stderr); sys.exit(os.environ['WORD'])"
    with pytest.raises(Failure, match="^because$"):
        cost_of([sys.executable, "-c", code], {"WORD": "because"})
    with pytest.raises(Failure, match="^exit status 3$"):
        cost_of([sys.executable, "-c", "raise SystemExit(3)"])
