"""The end of a job: the manifest is written into the part directory, then the output is renamed.

From the moment that the manifest is there, the artefact is made: whatever fails afterwards, the
next call only renames. `job.json` stays until the rename, so a kill before that moment costs no
finished piece.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from rocketqa import __version__
from rocketqa.jobs.atomic_files import unfinished_name, write_atomically
from rocketqa.jobs.digests import (
    MANIFEST,
    file_digest,
    files_below,
    is_sealed,
    manifest_beside,
    manifest_of,
    sealed_text,
)
from rocketqa.jobs.durable import give_usual_modes, remove, rename, sync, sync_all
from rocketqa.jobs.manifest import JOB, current_commit, recorded
from rocketqa.jobs.pieces import NOTES, checked_digest


class Ending(NamedTuple):
    """What the end of a job works with.

    part: the part directory. output: where the artefact goes. identity: of the job. logs: names of
    files that are kept but not listed. is_folder: whether the artefact is a folder even where a
    file in it has its name.
    """

    part: Path
    output: Path
    identity: Mapping[str, object]
    logs: Collection[str]
    is_folder: bool = False

    def write_manifest(self, facts: Mapping[str, object], discarded: Collection[str]) -> None:
        """Writes the manifest of finished work, with everything on disk.

        facts: what it says besides the job, the version, the commit and the digests. discarded:
        names in the part directory that are not part of the result.
        """
        unfinished_name(self.part / MANIFEST).unlink(missing_ok=True)  # of a killed process
        give_usual_modes(self.part)
        sync_all(self.part)
        names = [self.output.name]
        if self.is_folder or not (self.part / self.output.name).is_file():
            names = self._results(discarded)
        manifest = {
            "job": self.identity,
            "version": __version__,
            "commit": current_commit(),
            **facts,
            "outputs": {name: checked_digest(self.part / name) for name in names},
        }
        write_atomically(self.part / MANIFEST, sealed_text(manifest))

    def _results(self, discarded: Collection[str]) -> list[str]:
        """Returns the names of the files that are the result, a folder."""
        names = []
        for path in files_below(self.part):
            name = path.relative_to(self.part)
            is_ours = str(name) in (MANIFEST, JOB) or path.name in self.logs
            is_note = path.parent.name == NOTES
            if not is_ours and not is_note and name.parts[0] not in discarded:
                names.append(str(name))
        return names

    def is_made(self) -> bool:
        """Returns whether the part directory holds the whole result with its manifest.

        A single file may have reached its place already.
        """
        manifest = recorded(self.part / MANIFEST)
        if manifest.get("job") != self.identity:
            return False
        is_moved = self._is_file(manifest) and not (self.part / self.output.name).is_file()
        folder = self.output.parent if is_moved else self.part
        return is_whole(manifest, folder)

    def is_finished(self) -> bool:
        """Returns whether the output is in its place, whole, and made by this very job."""
        manifest = recorded(manifest_of(self.output))
        if not self.output.exists() or manifest.get("job") != self.identity:
            return False
        folder = self.output if self.output.is_dir() else self.output.parent
        return is_whole(manifest, folder)

    def _is_file(self, manifest: Mapping[str, dict]) -> bool:
        """Returns whether a manifest is of a single file."""
        return not self.is_folder and list(manifest["outputs"]) == [self.output.name]

    def move(self) -> None:
        """Moves a made artefact to its place."""
        manifest = recorded(self.part / MANIFEST)
        if self._is_file(manifest):
            self._move_file()
        else:
            self._remove_all_but(manifest["outputs"])
            self._move_directory()

    def _remove_all_but(self, listed: Collection[str]) -> None:
        """Removes the files of the part directory that are no result, and emptied folders."""
        kept = {MANIFEST, JOB, *listed}
        for path in sorted(self.part.rglob("*"), reverse=True):  # a folder after what is in it
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(self.part)) not in kept and path.name not in self.logs:
                path.unlink()
        sync(self.part)

    def _move_file(self) -> None:
        single_file = self.part / self.output.name
        manifest = manifest_beside(self.output)
        if single_file.is_file():
            if self.output.is_dir():
                self._set_aside()
            manifest.unlink(missing_ok=True)
            rename(single_file, self.output)
        rename(self.part / MANIFEST, manifest)
        self.tidy()

    def _move_directory(self) -> None:
        if self.output.exists():
            self._set_aside()
        manifest_beside(self.output).unlink(missing_ok=True)  # of a file that was there before
        rename(self.part, self.output)
        self.tidy()

    def _stale(self) -> Path:
        """Returns where the older output is while the new one takes its place."""
        return self.output.with_name(f"{self.output.name}.stale")

    def _set_aside(self) -> None:
        remove(self._stale())
        os.rename(self.output, self._stale())

    def tidy(self) -> None:
        """Removes what is left beside a finished output at the end, or after a kill."""
        job_file = self.output / JOB
        if job_file.is_file() or self.part.is_dir():
            remove(self._stale())
        if self.part.is_dir():
            remove(self.part)
        if self.output.is_dir():
            job_file.unlink(missing_ok=True)


def is_whole(manifest: dict, folder: Path) -> bool:
    """Returns whether a manifest is what was written, and every file of a folder that it lists."""
    if not is_sealed(manifest):
        return False
    for name, sha256 in manifest["outputs"].items():
        path = folder / name
        if not path.is_file() or file_digest(path) != sha256:
            return False
    return True
