"""Jobs: every verb makes one artefact, a file or a directory, which is whole with its manifest, or
not there.

A job is a verb, its flags and the digests of its inputs. Its work goes into `OUTPUT.part/`, which
survives a kill: when the same job is started again, it finds its finished pieces there. At the end
the manifest is written and the output is renamed into place. An output whose manifest names the
same job, and whose bytes are those that the manifest lists, is
finished: the job is not run again.

The word `titles` (yes, no or mixed) is passed on from the manifests of the inputs into that of the
output: from a collection to everything that is made of it.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from rocketqa import __version__
from rocketqa.files.errors import DataError
from rocketqa.jobs.atomic_files import read_object, write_atomically
from rocketqa.jobs.digests import (
    MANIFEST,
    digest,
    file_digest,
    files_below,
    is_sealed,
    manifest_of,
    sealed_text,
)
from rocketqa.jobs.locks import lock_directory
from rocketqa.jobs.manifest import JOB, current_commit, difference, paths_in, titles_of
from rocketqa.jobs.pieces import NOTES, checked_digest, remove_notes

NOT_FINISHED = 3  # exit status of --check where the output is not finished

Input = Path | Sequence[Path] | str | None
Workspace = TypeVar("Workspace")


class Job:
    """One making of one artefact.

    verb: what is done. output: the file or directory that is made.
    flags: everything besides the inputs that decides the bytes of the output.
    inputs: name -> the path or paths that are read; their digests count, not their names. An input
    that was not given (None or an empty list), or that is a name instead of a path, is recorded
    among the flags.
    logs: names of files of the output that are kept but do not count as part of the result.
    keep_unfinished: a glob pattern. Unfinished work that matches it is not thrown away for a job
    with other flags or inputs: that job is refused.

    Raises DataError where an input is missing or damaged.
    """

    def __init__(
        self,
        verb: str,
        output: Path,
        *,
        flags: Mapping[str, object],
        inputs: Mapping[str, Input],
        logs: Sequence[str] = (),
        keep_unfinished: str | None = None,
    ):
        self.output = output
        self.logs = logs
        self.keep_unfinished = keep_unfinished
        self.facts: dict[str, object] = {}  # further entries of the manifest
        self.input_names: dict[str, list[str]] = {}
        all_flags = dict(flags)
        digests: dict[str, list[str]] = {}
        all_paths: list[Path] = []
        for name, value in inputs.items():
            paths = paths_in(value)
            if not paths:
                all_flags[name] = value
                continue
            digests[name] = [digest(path) for path in paths]
            self.input_names[name] = [str(path) for path in paths]
            all_paths += paths
        self.titles = titles_of(all_paths)
        identity = {"verb": verb, "flags": all_flags, "inputs": digests}
        self.identity = json.loads(json.dumps(identity))  # as it will be read back
        self.part = output.with_name(f"{output.name}.part")

    @property
    def manifest(self) -> Path:
        """Where the manifest of the output is."""
        return manifest_of(self.output)

    def run(self, make: Callable[[Path], None], check: bool = False) -> int:
        """Makes the output in this process unless it is finished, and returns the exit status.

        `make` gets the part directory to write into. With `check` nothing is made: the status says
        whether the output is finished.
        """
        return self.run_in(Job.opened, make, check)

    def run_in(
        self,
        workspace: Callable[["Job"], AbstractContextManager[Workspace]],
        make: Callable[[Workspace], None],
        check: bool = False,
    ) -> int:
        """Does what `run` does; `workspace` opens the job and gives `make` what it works with.

        The processes of a launch share one job this way
        (`rocketqa.distributed.devices.working_on`).
        """
        status = self.status_if_done(check)
        if status is not None:
            return status
        with workspace(self) as opened:
            make(opened)
        return 0

    def status_if_done(self, check: bool) -> int | None:
        """Returns the exit status where there is nothing to do, or only `check` was asked for; else
        None.

        Waits first for a process that makes the same output at this moment, such as one left behind
        by a killed script. Raises DataError where something that is not an artefact stands in the
        way of the output.
        """
        self._refuse_foreign_output()
        if self.part.is_dir():
            os.close(lock_directory(self.part))
        if self.is_finished():
            remove_notes(self.output)  # where a kill has left them
            print(f"{self.output}: up to date", file=sys.stderr)
            return 0
        return NOT_FINISHED if check else None

    def _refuse_foreign_output(self) -> None:
        is_directory = self.output.is_dir()
        if not self.output.exists() or self._read_manifest():
            return
        if is_directory and not any(self.output.iterdir()):
            return
        # A kill may have come between the move of a file and that of its manifest: the part
        # directory is still there.
        if not is_directory and self.part.is_dir():
            return
        kind = "folder" if is_directory else "file"
        raise DataError(
            f"{self.output}: expected nothing there or an artefact to replace, "
            f"got a {kind} without {self.manifest.name}"
        )

    def is_finished(self) -> bool:
        """Returns whether the output is there, whole, and made by this very job."""
        manifest = self._read_manifest()
        if not self.output.exists() or manifest.get("job") != self.identity:
            return False
        if not is_sealed(manifest):
            return False
        directory = self.output if self.output.is_dir() else self.output.parent
        for name, sha256 in manifest["outputs"].items():
            path = directory / name
            if not path.is_file() or file_digest(path) != sha256:
                return False
        return True

    def _read_manifest(self) -> dict:
        """Returns the manifest of the output; empty where there is none, or where the file is
        something else.
        """
        manifest = read_object(self.manifest)
        is_manifest = "job" in manifest and isinstance(manifest.get("outputs"), dict)
        return manifest if is_manifest else {}

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Gives the part directory to work in; at the end without an error the output is finished
        and in place.

        Work of an earlier run of the same job is still in the directory. Raises DataError where the
        directory holds work of another job that must not be lost, or where another process has
        finished the output meanwhile.
        """
        if self.titles == "mixed":
            print(
                f"{self.output}: some inputs are of passages with titles, others without",
                file=sys.stderr,
            )
        self.output.parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock_part()
        try:
            self._clear_work_of_another_job()
            yield self.part
            self._finish()
        except BaseException:
            self._remove_empty_part()
            raise
        finally:
            os.close(lock)

    def _lock_part(self) -> int:
        """Locks the part directory, which another process may remove at any time, and returns the
        lock.
        """
        while True:
            self.part.mkdir(exist_ok=True)
            lock = lock_directory(self.part)
            if self.part.is_dir() and os.fstat(lock).st_ino == self.part.stat().st_ino:
                break
            os.close(lock)
        if self.is_finished():
            shutil.rmtree(self.part)
            os.close(lock)
            raise DataError(
                f"{self.output}: expected to make it alone, "
                "got it finished by another process: call again"
            )
        return lock

    def _clear_work_of_another_job(self) -> None:
        job_file = self.part / JOB
        other = read_object(job_file)
        if other == self.identity:
            return
        if (
            job_file.is_file()
            and self.keep_unfinished
            and any(self.part.glob(self.keep_unfinished))
        ):
            raise DataError(difference(self.part, other, self.identity))
        for path in self.part.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        write_atomically(job_file, json.dumps(self.identity))

    def _remove_empty_part(self) -> None:
        """Removes the part directory where a refusal came before any work."""
        if self.part.is_dir() and {path.name for path in self.part.iterdir()} <= {JOB}:
            shutil.rmtree(self.part)

    def _finish(self) -> None:
        """Writes the manifest and moves the output into place."""
        (self.part / JOB).unlink()
        single_file = self.part / self.output.name
        if single_file.is_file():
            names = [self.output.name]
        else:
            ignored = {*self.logs, MANIFEST}
            files = [path for path in files_below(self.part) if path.parent.name != NOTES]
            results = [path for path in files if path.name not in ignored]
            names = [str(path.relative_to(self.part)) for path in results]
        manifest = {
            "job": self.identity,
            "inputs": self.input_names,
            "version": __version__,
            "commit": current_commit(),
            **({"titles": self.titles} if self.titles else {}),
            **self.facts,
            "outputs": {name: checked_digest(self.part / name) for name in names},
        }
        write_atomically(self.part / MANIFEST, sealed_text(manifest))
        if single_file.is_file():
            self._move_file(single_file)
        else:
            self._move_directory()

    def _move_file(self, single_file: Path) -> None:
        self.manifest.unlink(missing_ok=True)
        os.replace(single_file, self.output)
        os.replace(self.part / MANIFEST, self.manifest)
        shutil.rmtree(self.part)

    def _move_directory(self) -> None:
        stale = self.output.with_name(f"{self.output.name}.stale")
        shutil.rmtree(stale, ignore_errors=True)
        if self.output.is_dir():
            os.rename(self.output, stale)
        os.rename(self.part, self.output)
        remove_notes(self.output)
        shutil.rmtree(stale, ignore_errors=True)
