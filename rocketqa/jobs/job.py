"""Jobs: every verb makes one artefact, a file or a directory, which is whole with its manifest, or
not there.

A job is a verb, its flags and the digests of its inputs. Its work goes into `OUTPUT.part/`, which
survives a kill and a power cut: when the same job is started again, it finds its finished pieces
there. At the end the manifest is written and the output is renamed into place (`finishing`). An
output whose manifest names the same job, and whose bytes are those that the manifest lists, is
finished: the job is not run again.

The word `titles` (yes, no or mixed) is passed on from the manifests of the inputs into that of the
output: from a collection to everything that is made of it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from rocketqa.files.errors import DataError
from rocketqa.files.machine_errors import refuse_machine_error
from rocketqa.jobs.atomic_files import write_atomically
from rocketqa.jobs.digests import MANIFEST, digest, manifest_of, sealed_text
from rocketqa.jobs.durable import make_folder, remove
from rocketqa.jobs.finishing import Ending
from rocketqa.jobs.locks import lock_directory
from rocketqa.jobs.manifest import (
    JOB,
    difference,
    is_cut_off,
    paths_in,
    recorded,
    titles_of,
    unfinished_identity,
)
from rocketqa.jobs.output_place import free_name, refuse_unless_place, target_of, try_rename

NOT_FINISHED = 3  # exit status of --check where the output is not finished

Input = Path | Sequence[Path] | str | None
Workspace = TypeVar("Workspace")


class FinishedMeanwhile(Exception):
    """Raised where another process has finished the same job since this one asked."""


class Job:
    """One making of one artefact.

    verb: what is done. output: the file or directory that is made; of a link, its target.
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
        self.given = output
        self.output = target_of(output)
        if not self.output.name:
            raise DataError(f"{output}: expected a file or folder to make, got a path without name")
        self.logs = logs
        self.keep_unfinished = keep_unfinished
        self.facts: dict[str, object] = {}  # further entries of the manifest
        # Names in the part directory that are not part of the result: needed until it is made.
        self.discarded: set[str] = set()
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
        self.part = self.output.with_name(f"{self.output.name}.part")
        self._ending = Ending(self.part, self.output, self.identity, self.logs)

    def of_folder(self) -> "Job":
        """Returns this job, whose output is a folder even where a file in it has its name."""
        self._ending = self._ending._replace(is_folder=True)
        return self

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
        try:
            with workspace(self) as opened:
                make(opened)
        except FinishedMeanwhile:
            self._say_up_to_date()
        return 0

    def status_if_done(self, check: bool) -> int | None:
        """Returns the exit status where there is nothing to do, or only `check` was asked for; else
        None.

        Waits first for a process that makes the same output at this moment, such as one left behind
        by a killed script. Raises DataError where the output cannot be put into its place, or
        something that is not an artefact stands in the way.
        """
        refuse_unless_place(self.given)
        lock = self._lock_if_there()
        try:
            is_finished = self.is_finished() if check else self._is_in_place()
            if not is_finished:
                self._refuse_foreign_output()
        finally:
            if lock is not None:
                os.close(lock)
        if is_finished:
            self._say_up_to_date()
            return 0
        return NOT_FINISHED if check else None

    def _say_up_to_date(self) -> None:
        print(f"{self.given}: up to date", file=sys.stderr)

    def _lock_if_there(self) -> int | None:
        """Locks the part directory; returns None where there is none."""
        try:
            return lock_directory(self.part)
        except FileNotFoundError:
            return None

    def _is_in_place(self) -> bool:
        """Returns whether the output is finished, after the end that an earlier process has begun.

        The caller has locked the part directory, if it is there.
        """
        if self._ending.is_made():
            self._ending.move()
        if not self.is_finished():
            return False
        self._ending.tidy()
        return True

    def _refuse_foreign_output(self) -> None:
        is_directory = self.output.is_dir()
        if not self.output.exists() or recorded(self.manifest):
            return
        if is_directory and not any(self.output.iterdir()):
            return
        # A kill may have come between the move of a file and that of its manifest: the part
        # directory is still there.
        if not is_directory and self.part.is_dir():
            return
        if is_cut_off(self.manifest):
            print(f"{self.manifest}: damaged, so {self.given} is made again", file=sys.stderr)
            return
        kind = "folder" if is_directory else "file"
        raise DataError(
            f"{self.given}: expected nothing there or an artefact to replace, "
            f"got a {kind} without {self.manifest.name}"
        )

    def is_finished(self) -> bool:
        """Returns whether the output is there, whole, and made by this very job."""
        return self._ending.is_finished()

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Gives the part directory to work in; at the end without an error the output is finished
        and in place.

        Work of an earlier run of the same job is still in the directory. Raises DataError where the
        directory holds work of another job that must not be lost, and FinishedMeanwhile where
        another process has finished the output meanwhile.
        """
        if self.titles == "mixed":
            print(
                f"{self.given}: some inputs are of passages with titles, others without",
                file=sys.stderr,
            )
        make_folder(self.output.parent)
        lock = self._lock_part()
        try:
            if self._is_in_place():
                raise FinishedMeanwhile
            self._clear_work_of_another_job()
            try_rename(self.part, self.output)
            yield self.part
            self._finish()
        except BaseException as error:
            self._remove_empty_part()
            refuse_machine_error(error, self.output.parent)
            raise
        finally:
            os.close(lock)

    def _lock_part(self) -> int:
        """Locks the part directory, which another process may remove at any time, and returns the
        lock.
        """
        while True:
            make_folder(self.part)
            lock = self._lock_if_there()
            if lock is None:
                continue
            if self.part.is_dir() and os.fstat(lock).st_ino == self.part.stat().st_ino:
                if not self._set_damaged_work_aside():
                    return lock
            os.close(lock)

    def _set_damaged_work_aside(self) -> bool:
        """Renames a part directory with precious work that nobody can tell the job of."""
        job_file = self.part / JOB
        if not self._has_precious_work() or unfinished_identity(self.part):
            return False
        aside = free_name(self.output.with_name(f"{self.output.name}.damaged"))
        os.rename(self.part, aside)
        print(
            f"{job_file}: damaged, so nobody can tell which job its work belongs to: "
            f"the work is kept as {aside}, and begun anew",
            file=sys.stderr,
        )
        return True

    def _has_precious_work(self) -> bool:
        if not self.keep_unfinished or not (self.part / JOB).is_file():
            return False
        return any(self.part.glob(self.keep_unfinished))

    def _clear_work_of_another_job(self) -> None:
        job_file = self.part / JOB
        other = unfinished_identity(self.part)
        if other == self.identity:
            (self.part / MANIFEST).unlink(missing_ok=True)  # of bytes that are damaged by now
            return
        if self._has_precious_work():
            raise DataError(difference(self.part, other, self.identity))
        job_file.unlink(missing_ok=True)  # first, so that a kill leaves nothing to go on from
        for path in self.part.iterdir():
            remove(path)
        write_atomically(job_file, sealed_text(self.identity))

    def _remove_empty_part(self) -> None:
        """Removes the part directory where a refusal came before any work."""
        if self.part.is_dir() and {path.name for path in self.part.iterdir()} <= {JOB}:
            remove(self.part)

    def _finish(self) -> None:
        """Writes the manifest and moves the output into place."""
        is_linked = self.given.name != self.output.name
        is_file = not self._ending.is_folder and (self.part / self.given.name).is_file()
        if is_linked and is_file:
            os.replace(self.part / self.given.name, self.part / self.output.name)
        titles = {"titles": self.titles} if self.titles else {}
        facts = {"inputs": self.input_names, **titles, **self.facts}
        self._ending.write_manifest(facts, self.discarded)
        self._ending.move()
