"""Commands of a machine that a test makes up, such as a broken nvidia-smi."""

from pathlib import Path


def write_command(path: Path, body: str) -> Path:
    """Writes a command for sh, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
