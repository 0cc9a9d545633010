"""Helpers for the tests of data_prep/: literal files, and calls of the scripts."""

import importlib
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def data_prep_module(name: str) -> ModuleType:
    """Returns a module of data_prep/, whose files import each other by their plain names."""
    folder = str(ROOT / "data_prep")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def call(script: str, *arguments: object) -> tuple[int, str]:
    """Calls a script's main in this process and returns the exit status and its stderr."""
    module = data_prep_module(script.removesuffix(".py"))
    words = [str(argument) for argument in arguments]
    stderr = io.StringIO()
    with redirect_stderr(stderr):
        status = module.main(words)
    return status, stderr.getvalue()


def call_alone(script: str, *arguments: object) -> tuple[int, str]:
    """Calls a script in a process of its own and returns the exit status and its stderr."""
    process = subprocess.run(
        [sys.executable, f"data_prep/{script}", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
    )
    return process.returncode, process.stderr


def write(folder: Path, **files: str) -> Path:
    """Writes literal files into a folder and returns it; `__` in a keyword stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for keyword, content in files.items():
        path = folder / keyword.replace("__", ".")
        path.write_text(content, encoding="utf-8", newline="")
    return folder


def read(folder: Path, name: str) -> str:
    """Returns the content of a file, with its line ends as they are."""
    return (folder / name).read_bytes().decode("utf-8")
