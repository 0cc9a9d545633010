"""The processes that `rocketqa doctor` starts. Users do not call this module.

    python -m rocketqa.doctor.worker MODULE ...    does the CHECKS of modules of this room

Each finding is printed when it is made, as a list in JSON, a line each.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from rocketqa.distributed.paddle_import import expect_import
from rocketqa.doctor.findings import WRONG, Finding, Judgement
from rocketqa.files.errors import one_line
from rocketqa.jobs.parents import end_with_those_above

Checks = Mapping[str, Callable[[], Judgement]]


def main(modules: Sequence[str]) -> None:
    """Prints the findings of the modules' checks."""
    end_with_those_above()
    expect_import()
    for name in modules:
        module = importlib.import_module(f"rocketqa.doctor.{name}")
        for finding in findings_of(module.CHECKS):
            print(json.dumps(finding), flush=True)


def findings_of(checks: Checks) -> Iterator[Finding]:
    """Yields the finding of each check; an error of a library is one."""
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except Exception as error:  # noqa: BLE001  On an unknown machine anything may be raised.
            yield Finding(name, WRONG, f"expected an answer, got {one_line(error)}")


if __name__ == "__main__":
    main(sys.argv[1:])
