"""Paths that a job reads and makes, told apart by their type."""

from pathlib import Path

NOT_FINISHED = 3  # exit status of --check


class InputPath(type(Path())):
    """A file or directory that a verb reads: its digest belongs to the job, its name does not."""


class OutputPath(type(Path())):
    """The file or directory that a verb makes."""
