"""Helpers of the tests of run_scripts/: they run a script, and they read env files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "run_scripts").glob("*.sh"))
ENVS = sorted((ROOT / "run_scripts").glob("*.env"))
BIN = Path(sys.executable).parent


def path_with(*folders: Path) -> str:
    """Returns a PATH that begins with these folders, then has this Python's commands."""
    return os.pathsep.join([*map(str, folders), str(BIN), os.environ["PATH"]])


def sh(*command: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs dash (or sh) on this tree, with these arguments and no other variables than these."""
    environment = {
        "PATH": path_with(),
        "HOME": os.environ.get("HOME", "/"),
        "ROCKETQA_READY": "yes",
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    shell = shutil.which("dash") or "sh"
    return subprocess.run(
        [shell, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_script(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a run script, which must succeed. The variables win over the env file."""
    done = subprocess.run(
        ["sh", f"run_scripts/{script}", *arguments],
        cwd=ROOT,
        env=script_environment(**variables),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def script_environment(**variables: str) -> dict[str, str]:
    """Returns the variables of a script that uses this Python on one thread a process."""
    ready = {"PATH": path_with(), "ROCKETQA_READY": "yes", "OMP_NUM_THREADS": "1"}
    return os.environ | ready | variables


def folders_below(folder: Path) -> dict[str, str]:
    """Returns the variables that keep what a script makes below a folder."""
    return {"OUTPUT_DIR": str(folder / "o"), "CHECKPOINT_DIR": str(folder / "c")}


def variable_names(env: Path) -> list[str]:
    """Returns the variables that an env file sets, in its order."""
    return re.findall(r"^([A-Z][A-Z0-9_]*)=", env.read_text(), re.MULTILINE)


def variable_values(env: Path) -> dict[str, str]:
    """Returns variable -> value, as a shell reads the env file."""
    names = variable_names(env)
    printing = "; ".join(f'printf "%s\\0" "${name}"' for name in names)
    done = sh("-euc", f'. "{env}"; {printing}')
    assert done.returncode == 0, done.stderr
    return dict(zip(names, done.stdout.split("\0")))


def variable_comments(env: Path) -> dict[str, str]:
    """Returns variable -> the text of the comment directly above it, on one line."""
    comments = {}
    block: list[str] = []
    for line in env.read_text().splitlines():
        if line.startswith("# "):
            block.append(line.removeprefix("# "))
            continue
        name = re.match(r"([A-Z][A-Z0-9_]*)=", line)
        if name:
            comments[name[1]] = " ".join(block)
        block = []
    return comments


def make_toy_data(folder: Path, **sizes: int) -> Path:
    """Builds toy data with data_prep/toy.py; sizes are its flags. Returns the folder."""
    flags = []
    for name, value in sizes.items():
        flags += [f"--{name.replace('_', '-')}", str(value)]
    subprocess.run(
        [sys.executable, "data_prep/toy.py", "--output", folder, *flags],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder
