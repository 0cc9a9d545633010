"""Whatever fails between the last piece and the end, nothing finished is thrown away."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from copy_job import LOG, alter, is_due, make, names
from power_cuts import is_change_below, watched_by

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import manifest_of
from rocketqa.jobs.job import Job

OUTPUTS = ("out.tsv", "out")
PIECES = 3


class FailingDisk:
    """A disk that is full at the change of that number, and a process that never goes on."""

    def __init__(self, folder: Path, number: int):
        self.folder = folder
        self.left = number

    def on_change(self, event: str, arguments: tuple) -> None:
        """Raises at the change, and at all that follow."""
        if is_change_below(self.folder, event, arguments):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Work:
    """Makes an output of some pieces, and counts how many it had to make."""

    def __init__(self, job: Job):
        self.job = job
        self.pieces_made = 0
        job.discarded.add("tokens")

    def __call__(self, part: Path) -> None:
        (part / "tokens").mkdir(exist_ok=True)
        (part / "tokens/0").write_text("needed until the end")
        for number in range(PIECES):
            if not (part / f"piece-{number}").is_file():
                (part / f"piece-{number}").write_text(str(number))
                self.pieces_made += 1
        if self.job.output.suffix == ".tsv":
            (part / self.job.output.name).write_text("012")
        (part / LOG).write_text("log")

    def fail_at(self, number: int) -> bool:
        """Lets the end of the job fail at the change of that number; returns whether it came."""
        disk = FailingDisk(self.job.output.parent, number)
        try:
            with self.job.opened() as part:
                self(part)
                watching = watched_by(disk)
                watching.__enter__()
        except (DataError, OSError) as error:
            assert "No space left on device" in str(error)
        finally:
            watching.__exit__(None, None, None)
        return disk.left < 0


def older_artefact(job, folder: Path, output: str, older: str | None) -> None:
    """Makes what the job will replace: nothing, or a file or folder of another job."""
    if older is not None:
        make(job(older, depth=9), "old\n")
        if older != output:
            (folder / older).rename(folder / output)
            if output.endswith(".tsv"):
                return
            (folder / f"{older}.meta.json").rename(folder / f"{output}.meta.json")


@pytest.mark.parametrize("older", [None, *OUTPUTS])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_failure_at_any_change_of_the_end_costs_no_piece(job, tmp_path, output, older):
    older_artefact(job, tmp_path, output, older)
    start = tmp_path.with_name(f"{tmp_path.name}.start")
    shutil.copytree(tmp_path, start)
    whole = Work(job(output))
    whole.job.run(whole)
    expected = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    assert not {name for name in expected if "tokens" in name or "stale" in name}
    number = 0
    while True:
        shutil.rmtree(tmp_path)
        shutil.copytree(start, tmp_path)
        work = Work(job(output))
        came = work.fail_at(number)
        was_made = (work.job.part / "meta.json").is_file() or work.job.is_finished()
        next_call = Work(job(output))
        assert next_call.job.run(next_call) == 0
        assert next_call.pieces_made == 0, number
        assert was_made or (work.pieces_made == PIECES and number < 3), number
        assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == expected
        if not came:
            break
        number += 1
    assert number > 5
    shutil.rmtree(start)


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_made_artefact_is_only_renamed_by_the_next_call(job, output, capsys):
    work = Work(job(output))
    with work.job.opened() as part:
        work(part)
        shutil.copytree(part, f"{part}.kept")
    manifest = manifest_of(work.job.output)
    shutil.copy(manifest, f"{part}.kept/meta.json")
    Path(manifest).unlink()
    if output == "out":
        shutil.rmtree(work.job.output)
    else:
        work.job.output.unlink()
    os.rename(f"{part}.kept", part)
    assert job(output).run(lambda part: pytest.fail("the work began"), check=True) == 3
    assert not work.job.output.exists()
    assert job(output).run(lambda part: pytest.fail("the work began")) == 0
    assert capsys.readouterr().err == f"{work.job.output}: up to date\n"
    assert not work.job.part.exists() and not is_due(job(output))


def test_a_made_artefact_with_other_bytes_is_made_again(job):
    work = Work(job("out"))
    with work.job.opened() as part:
        work(part)
    os.rename(work.job.output, part)
    (part / "job.json").write_text("{}")
    alter(part / "piece-1")
    again = Work(job("out"))
    assert again.job.run(again) == 0
    assert again.pieces_made == PIECES
    assert (work.job.output / "piece-1").read_text() == "1"


def test_a_machine_without_git_finishes(job, monkeypatch):
    monkeypatch.setenv("PATH", "")
    make(job("out"))
    assert not is_due(job("out"))


def test_all_files_have_the_mode_that_the_umask_leaves(job, tmp_path):
    def write(part: Path) -> None:
        (part / "model.safetensors").write_text("x")
        (part / "model.safetensors").chmod(0o600)
        (part / "config.json").write_text("x")

    assert job("out").run(write) == 0
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    umask = os.umask(0o022)
    os.umask(umask)
    assert modes == {0o666 & ~umask}
