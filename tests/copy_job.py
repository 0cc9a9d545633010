"""A job that copies nothing but has all that a job can have: for tests of jobs and manifests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rocketqa.jobs.job import Job

LOG = "train_log.tsv"
INPUT = b"q1\tp1\n"
INPUT_SHA256 = hashlib.sha256(INPUT).hexdigest()


def copy_job(
    folder: Path,
    output: str = "out.tsv",
    verb: str = "copy",
    source: str = "in.tsv",
    depth: int = 10,
    more_inputs: dict[str, Path | Sequence[Path] | str | None] | None = None,
    **more_flags: object,
) -> Job:
    """Returns a job that reads one file; `output` ends in .tsv where it is a file."""
    return Job(
        verb,
        folder / output,
        flags={"depth": depth, **more_flags},
        inputs={"run": folder / source, **(more_inputs or {})},
        logs=(LOG,),
    )


def make(job: Job, content: str = "result\n") -> Path:
    """Makes the output: a file, or a directory of two files and a log."""

    def write(part: Path) -> None:
        if job.output.suffix == ".tsv":
            (part / job.output.name).write_text(content)
            return
        (part / "shards").mkdir()
        for name in ("weights", "shards/0", LOG):
            (part / name).write_text(content)

    assert job.run(write) == 0
    return job.output


def is_due(job: Job) -> bool:
    """Returns whether the job has something to do."""
    status = job.status_if_done(check=False)
    assert status in (None, 0)
    return status is None


def names(folder: Path) -> set[str]:
    """Returns the files of a folder by their relative names."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def alter(path: Path) -> None:
    """Flips a bit of the first byte."""
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
