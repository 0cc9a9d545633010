"""What the tests of data_prep/ share: literal files, and the scripts called as a user calls them."""

import importlib
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "data_prep"))


def call(script: str, *arguments) -> tuple[int, str]:
    """Calls a script's main, in this process, and returns the exit status and what was said."""
    said = io.StringIO()
    with redirect_stderr(said):
        status = importlib.import_module(script.removesuffix(".py")).main(
            [str(word) for word in arguments]
        )
    return status, said.getvalue()


def call_alone(script: str, *arguments) -> tuple[int, str]:
    """As `call`, in a process of its own, as a user does."""
    ended = subprocess.run(
        [sys.executable, f"data_prep/{script}", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
    )
    return ended.returncode, ended.stderr


def write(folder: Path, **files: str) -> Path:
    """Writes literal files; `__` in a keyword stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8", newline="")
    return folder


def read(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode("utf-8")
