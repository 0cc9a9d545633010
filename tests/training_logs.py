"""What tests read of a training: its log, its weights, and the line that a refusal says."""

import subprocess
from pathlib import Path

from toy_files import ENVIRONMENT, verb

WEIGHTS = "model.safetensors"


def log_of(output: Path) -> list[dict[str, str]]:
    """Returns the lines of a training's log."""
    header, *lines = (output / "train_log.tsv").read_text().splitlines()
    columns = header.split("\t")
    return [dict(zip(columns, line.split("\t"))) for line in lines]


def column(output: Path, name: str) -> list[float]:
    """Returns a column of a training's log."""
    return [float(row[name]) for row in log_of(output)]


def weights(output: Path) -> bytes:
    """Returns the bytes of a checkpoint's weights."""
    return (output / WEIGHTS).read_bytes()


def run_verb(*command: object) -> str:
    """Runs a verb that ends well, and returns what it prints."""
    words = verb(*command)
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def complaint(*command: object) -> str:
    """Runs a verb that must refuse, and returns its one line."""
    words = verb(*command)
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    begin = f"rocketqa {command[0]}: "
    lines = [line for line in done.stderr.splitlines() if line.startswith(begin)]
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix(begin)
