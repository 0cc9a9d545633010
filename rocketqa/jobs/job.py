"""Artefacts that are whole or not there: every verb makes one, a file or a directory, with its manifest.

A job is a verb, its flags and the digests of its inputs. Its work goes into `OUTPUT.part/`, which survives a kill as
long as the job is the same, so that a long verb finds its finished pieces again. At the end the manifest
(`meta.json` in a directory, `NAME.meta.json` beside a file) is written and the output renamed into place. An output
whose manifest names the same job, and whose bytes are those of the manifest, is finished: the verb does nothing.
`titles` (yes, no, mixed) goes from the manifests of a job's inputs into its own: from a collection to what comes of it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path

from rocketqa import __version__
from rocketqa.files.errors import DataError
from rocketqa.files.rows import no_file
from rocketqa.jobs.atomic_files import read_object, write_atomically
from rocketqa.jobs.paths import NOT_FINISHED, InputPath

MANIFEST = "meta.json"
JOB = "job.json"
TITLES = {"yes", "no", "mixed"}
ANEW = "; to begin anew, remove the folder"


def file_digest(path: Path) -> str:
    """Returns the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_of(path: Path) -> Path:
    """Returns where the manifest of an artefact is."""
    return path / MANIFEST if path.is_dir() else path.with_name(f"{path.name}.{MANIFEST}")


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*")) if path.is_file()]


def digest(path: Path) -> str:
    """Returns what identifies an input: of a file its sha256, of an artefact directory that of its listed files.

    Raises DataError where the input is missing, half-written, or not what its manifest says.
    """
    if not path.is_dir():
        if instead := no_file(path):
            raise instead
        return file_digest(path)
    listed = {str(file.relative_to(path)): file_digest(file) for file in _files(path)}
    if isinstance(expected := read_object(path / MANIFEST).get("outputs"), dict):
        listed = {name: listed.get(name) for name in expected}
        if listed != expected:
            wrong = next(name for name in expected if listed[name] != expected[name])
            raise DataError(f"{path / wrong}: expected the bytes that {MANIFEST} lists, got others")
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


def _commit() -> str:
    here = Path(__file__).parent
    answer = subprocess.run(
        ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


class Job:
    """One making of one artefact. `with job as part:` gives the directory to work in and finishes at the end.

    Flags named in `not_identity` do not change the bytes of the result; files named in `logs` (a directory's) are kept but
    are no part of its identity. Unfinished work that matches `keep_unfinished` is not thrown away for a job with other flags
    or inputs: that job is refused.
    """

    def __init__(
        self,
        verb: str,
        args: Namespace,
        not_identity: tuple[str, ...] = (),
        logs: tuple[str, ...] = (),
        keep_unfinished: str | None = None,
    ):
        self.output, self.logs, self.keep_unfinished = Path(args.output), logs, keep_unfinished
        self.facts: dict[str, object] = {}
        self.names: dict[str, list[str]] = {}
        flags, inputs, titles = {}, {}, set()
        for name, value in vars(args).items():
            values = value if isinstance(value, list) else [value]
            if any(isinstance(item, InputPath) for item in values):
                inputs[name] = [digest(Path(item)) for item in values]
                self.names[name] = [str(item) for item in values]
                titles |= {
                    str(read_object(manifest_of(Path(item))).get("titles")) for item in values
                } & TITLES
            elif name not in ("output", "check", *not_identity):
                flags[name] = value
        self.titles = {"titles": titles.pop() if len(titles) == 1 else "mixed"} if titles else {}
        self.key = json.loads(json.dumps({"verb": verb, "flags": flags, "inputs": inputs}))
        self.part = self.output.with_name(self.output.name + ".part")
        self._lock = None

    @property
    def manifest(self) -> Path:
        return manifest_of(self.output)

    def is_finished(self) -> bool:
        """Returns whether the output is there, whole, and made by this very job."""
        meta = self._meta()
        if not self.output.exists() or meta.get("job") != self.key:
            return False
        base = self.output if self.output.is_dir() else self.output.parent
        return all(
            (base / name).is_file() and file_digest(base / name) == sha256
            for name, sha256 in meta["outputs"].items()
        )

    def _meta(self) -> dict:
        """Returns the manifest that is there; empty where there is none, or something else by its name."""
        meta = read_object(self.manifest)
        return meta if "job" in meta and isinstance(meta.get("outputs"), dict) else {}

    def status_if_done(self, check: bool) -> int | None:
        """Returns the exit status where there is nothing to do (or only --check was asked), else None.

        Waits for a process that makes the same output at this moment, such as one left behind by a killed script.
        """
        is_folder = self.output.is_dir()
        # A kill may have cut the move of a file and of its manifest in two: then its .part is still there.
        may_be_replaced = not any(self.output.iterdir()) if is_folder else self.part.is_dir()
        if self.output.exists() and not (self._meta() or may_be_replaced):
            raise DataError(
                f"{self.output}: expected nothing there or an artefact to replace, got a "
                f"{'folder' if is_folder else 'file'} without {self.manifest.name}"
            )
        if self.part.is_dir():
            with _locked(self.part):
                pass
        if self.is_finished():
            print(f"{self.output}: up to date", file=sys.stderr)
            return 0
        return NOT_FINISHED if check else None

    def __enter__(self) -> Path:
        if self.titles.get("titles") == "mixed":
            print(
                f"{self.output}: some inputs are of passages with titles, others without",
                file=sys.stderr,
            )
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        kept = self.part / JOB
        if (other := read_object(kept)) != self.key:
            if (
                kept.is_file()
                and self.keep_unfinished
                and any(self.part.glob(self.keep_unfinished))
            ):
                os.close(self._lock)
                raise DataError(self._difference(other))
            for path in self.part.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            write_atomically(kept, json.dumps(self.key))
        return self.part

    def _difference(self, other: dict) -> str:
        """Returns the line that says what an unfinished job has otherwise."""
        if other.keys() != self.key.keys():
            return (
                f"{self.part / JOB}: expected what its unfinished work is, got something else{ANEW}"
            )
        for name, value in self.key["flags"].items():
            if other["flags"].get(name) != value:
                flag, before = name.replace("_", "-"), other["flags"].get(name)
                return f"{self.part}: expected {flag} {before}, as its unfinished work has, got {value}{ANEW}"
        changed = [
            name for name, value in self.key["inputs"].items() if other["inputs"].get(name) != value
        ]
        return f"{self.part}: expected the {', '.join(changed)} of its unfinished work, got other bytes{ANEW}"

    def _take_lock(self) -> None:
        while self._lock is None:
            self.part.mkdir(exist_ok=True)
            lock = _lock(self.part)
            if self.part.is_dir() and os.fstat(lock).st_ino == self.part.stat().st_ino:
                self._lock = lock
            else:
                os.close(lock)
        if self.is_finished():
            shutil.rmtree(self.part)
            os.close(self._lock)
            raise DataError(
                f"{self.output}: expected to make it alone, got it finished by another process: call again"
            )

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._finish()
        os.close(self._lock)

    def _finish(self) -> None:
        (self.part / JOB).unlink()
        single = self.part / self.output.name
        names = (
            [self.output.name]
            if single.is_file()
            else [
                str(path.relative_to(self.part))
                for path in _files(self.part)
                if path.name not in (*self.logs, MANIFEST)
            ]
        )
        meta = {
            "job": self.key,
            "inputs": self.names,
            "version": __version__,
            "commit": _commit(),
            **self.titles,
            **self.facts,
            "outputs": {name: file_digest(self.part / name) for name in names},
        }
        write_atomically(self.part / MANIFEST, json.dumps(meta, indent=1, sort_keys=True) + "\n")
        self._move_file(single) if single.is_file() else self._move_directory()

    def _move_file(self, single: Path) -> None:
        self.manifest.unlink(missing_ok=True)
        os.replace(single, self.output)
        os.replace(self.part / MANIFEST, self.manifest)
        shutil.rmtree(self.part)

    def _move_directory(self) -> None:
        stale = self.output.with_name(self.output.name + ".stale")
        shutil.rmtree(stale, ignore_errors=True)
        if self.output.is_dir():
            os.rename(self.output, stale)
        os.rename(self.part, self.output)
        shutil.rmtree(stale, ignore_errors=True)


def _lock(directory: Path) -> int:
    """Locks a directory and returns its descriptor. The lock dies with its process: a kill leaves none behind."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{directory}: another process works there; waiting for it to end", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextmanager
def _locked(directory: Path):
    lock = _lock(directory)
    yield
    os.close(lock)
