"""What Paddle's launcher tells its processes by variables, and whether it holds. Needs no Paddle.

A shell or a scheduler that exports one of them starts no process by it. A training that believed
it would wait for processes that are not there, or train alone in silence.
"""

import os

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import WHOLE_FROM_1

PROCESSES = "PADDLE_TRAINERS_NUM"  # on all machines
MACHINES = "PADDLE_NNODES"
ENDPOINTS = "PADDLE_TRAINER_ENDPOINTS"  # one of each process, with commas between
# In the line of a process that has lost the others because all of them could not run for a while.
SUSPENDED = "lost in a suspension"
TOLD_BY = "(told by"  # in the line of a process that ends because of another one
CURE = "start it with `python -m paddle.distributed.launch`, or unset this variable"


def number_in(variable: str) -> int:
    """Returns the number in a variable of the launcher, 1 where it is not set.

    Raises DataError where it is none.
    """
    try:
        return int(WHOLE_FROM_1.read(os.environ.get(variable) or "1"))
    except ValueError as error:
        raise DataError(f"{variable}: {error}") from error


def refuse_unless_launched() -> None:
    """Raises DataError where a variable tells of processes or machines that no launch has."""
    processes = number_in(PROCESSES)
    machines = number_in(MACHINES)
    endpoints = len(list(filter(None, os.environ.get(ENDPOINTS, "").split(","))))
    if processes > 1 and processes != endpoints:
        raise DataError(
            f"{PROCESSES}={processes}: expected a launch of {processes} processes, got {endpoints} "
            f"in {ENDPOINTS}: {CURE}"
        )
    if machines > processes:
        raise DataError(
            f"{MACHINES}={machines}: expected a launch on {machines} machines, got a process that "
            f"trains alone: {CURE}"
        )
