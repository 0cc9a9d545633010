"""Flights in this process: the commands that a script plans, one after the other.

Paddle is loaded once for all of them, which takes a quarter of the time of the script.
"""

import shlex
import subprocess
from pathlib import Path

from data_prep_runs import data_prep_module
from script_runs import run_script

from rocketqa.cli.__main__ import main


def planned_commands(env: str, script: str = "rocket.sh", **variables: str) -> list[list[str]]:
    """Returns the words of each command that a script would run with an env file."""
    plan = run_script(script, f"run_scripts/{env}.env", "--plan", **variables)
    lines = plan.stdout.splitlines()
    return [shlex.split(line) for line in lines if line.startswith(("rocketqa ", "python ", "ln "))]


def fly_here(env: str, script: str = "rocket.sh", **variables: str) -> list[list[str]]:
    """Runs these commands and returns them; the variables have one device of each kind."""
    commands = planned_commands(env, script, **variables)
    for command in commands:
        if command[0] == "rocketqa":
            status = main(command[1:])
        elif command[0] == "ln":
            status = subprocess.run(command).returncode
        else:
            status = data_prep_module(Path(command[1]).stem).main(command[2:])
        assert status == 0, command
    return commands
