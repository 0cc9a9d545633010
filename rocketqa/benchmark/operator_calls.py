"""How many operators Paddle runs: what the host has to start on a GPU, one after the other."""

from collections.abc import Callable, Iterable
from typing import Any

from paddle.profiler import Profiler, ProfilerTarget

# How Paddle ends the name of the event of one operator: Paddle 3, Paddle 2.
LAUNCHES = (" kernel launch", " compute")


def count_operator_calls(work: Callable[[], object]) -> int:
    """Does the work and returns how many operators Paddle ran: forward, backward and updates.

    The CPU kernels of `cpu_kernels.c` are not Paddle's and are not counted.
    """
    profiler = Profiler(targets=[ProfilerTarget.CPU], on_trace_ready=_write_nothing)
    profiler.start()
    work()
    profiler.stop()
    events_by_thread = profiler.profiler_result.get_data()
    return sum(_launches(event) for event in events_by_thread.values())


def _write_nothing(profiler: Profiler) -> None:
    """Takes the place of Paddle's default, which writes a file into the working directory."""


def _launches(event: Any) -> int:
    """Returns how many operators were run in an event, which is a tree of events."""
    children: Iterable[Any] = event.children_node
    own = int(event.name.endswith(LAUNCHES))
    return own + sum(_launches(child) for child in children)
