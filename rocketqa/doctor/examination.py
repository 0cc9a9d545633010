"""Runs the checks, each group in a process of its own, and yields what was found. Needs no Paddle.

A check may crash its process or never end: a library for another GPU does both. Its row then says
so, the other groups go on, and the whole examination ends within two minutes.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rocketqa.doctor.findings import ABSENT, WRONG, Finding
from rocketqa.doctor.machine import Ended, ask_driver, judge_driver, run_within, versions
from rocketqa.jobs.parents import environment_of_child

PROJECT = Path(__file__).parents[2]
SECONDS = 105.0  # for all groups; the driver may take 11 before
SECONDS_OF_GROUP = 75.0
LONGEST_SAID = 200  # characters of the last line of a process
# Modules of this room that load Paddle or faiss, and the names of their CHECKS, in order.
CHECKS = {
    "hardware": ("devices", "machine code"),
    "numerics": ("float32 products", "attention", "training precision", "loss scale", "encoding"),
    "rates": ("matrix products", "encoding rate", "training rate"),
    "searching": ("faiss", "search"),
    "collectives": ("gather of all devices",),
}
GROUPS = (("hardware", "numerics", "rates", "searching"), ("collectives",))


def examine() -> Iterator[Finding]:
    """Yields a finding for each check, the ones that others rest on first."""
    answer = ask_driver()
    yield Finding("versions", *versions(len(answer.gpus)))
    yield Finding("driver", *judge_driver(answer))
    end = time.monotonic() + SECONDS
    for modules in GROUPS:
        left = max(1.0, end - time.monotonic())
        yield from examine_group(modules, min(left, SECONDS_OF_GROUP))


def examine_group(modules: tuple[str, ...], seconds: float) -> Iterator[Finding]:
    """Yields the findings of some modules, also of checks that their process did not come to."""
    command = [sys.executable, "-m", "rocketqa.doctor.worker", *modules]
    environment = environment_of_child() | {"PYTHONPATH": str(PROJECT)}
    ended = run_within(command, seconds, environment)
    found = list(findings_in(ended.output))
    yield from found
    checks = [check for module in modules for check in CHECKS[module]]
    yield from unanswered(checks[len(found) :], _fault_of(ended, seconds))


def unanswered(checks: list[str], fault: str) -> Iterator[Finding]:
    """Yields a finding for each check of a process that ended too early: the first one ended it."""
    for place, check in enumerate(checks):
        if place == 0:
            yield Finding(check, WRONG, f"expected an answer, got {fault}")
        else:
            yield Finding(check, ABSENT, f"not reached, because of {checks[0]}")


def findings_in(output: bytes) -> Iterator[Finding]:
    """Yields the findings that a process has printed; other lines are a library's."""
    for line in output.decode(errors="replace").splitlines():
        if line.startswith('["'):
            yield Finding(*json.loads(line))


def _fault_of(ended: Ended, seconds: float) -> str:
    """Returns how a process has ended, with the last line that it said."""
    if ended.status is None:
        return f"no end within {seconds:.0f} seconds"
    lines = ended.errors.decode(errors="replace").strip().splitlines()
    said = f": {lines[-1][:LONGEST_SAID]}" if lines else ""
    if ended.status < 0:
        return f"a process ended by {signal.Signals(-ended.status).name}{said}"
    return f"exit status {ended.status}{said}"
