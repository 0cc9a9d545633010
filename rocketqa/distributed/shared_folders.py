"""Whether all nodes of a flight see the same folders: node 0 writes a file into each, with a name
of its own, and the others look for it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PATIENCE = 3.0  # seconds in which a file that another node has written must appear
PAUSE = 0.2


@contextmanager
def marked(folders: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Writes a file into each folder, gives folder -> its name, and removes the files."""
    name = f".seen-by-all-nodes-{uuid4().hex[:12]}"
    marks = {folder: name for folder in folders}
    for folder in marks:
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, name).touch()
    try:
        yield marks
    finally:
        for folder in marks:
            Path(folder, name).unlink(missing_ok=True)


def not_shared(marks: Mapping[str, str], patience: float = PATIENCE) -> list[str]:
    """Returns the folders in which the file of node 0 does not appear."""
    end = time.monotonic() + patience
    missing = [folder for folder, name in marks.items() if not Path(folder, name).exists()]
    while missing and time.monotonic() < end:
        time.sleep(PAUSE)
        missing = [folder for folder in missing if not Path(folder, marks[folder]).exists()]
    return missing


def line_for(node: int, machine: str, folders: Sequence[str]) -> str:
    """Returns the line about folders that a node does not share with node 0."""
    return (
        f"{', '.join(folders)}: expected the same on all nodes, got another on node {node} "
        f"({machine}): a file that node 0 wrote there did not appear within {PATIENCE:.0f} s; "
        'mount one disk on all nodes (README.md of run_scripts, "More than one machine")'
    )
