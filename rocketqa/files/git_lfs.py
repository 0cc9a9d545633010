"""Git LFS pointers: what a clone without Git LFS has in the place of a large file."""

from pathlib import Path

from rocketqa.files.errors import DataError

FIRST_LINE = b"version https://git-lfs.github.com/spec/"


def refuse_git_lfs_pointer(path: Path, expected: str) -> None:
    """Raises DataError where a file is a Git LFS pointer. expected: what the file should hold."""
    with path.open("rb") as file:
        begin = file.read(len(FIRST_LINE))
    if begin == FIRST_LINE:
        cure = "fetch the file itself, for example with `git lfs pull`"
        raise DataError(f"{path}: expected {expected}, got a Git LFS pointer: {cure}")
