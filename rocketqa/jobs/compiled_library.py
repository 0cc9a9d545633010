"""Libraries of C functions, compiled from source when they are first used.

They are compiled by the compiler and for the processor of this machine, and the result stays in the
user's cache. Its name there is a hash of everything it depends on, and a note beside it has its
digest: a damaged library is compiled again. A user without a home has no cache.
"""

import ctypes
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.jobs.pieces import is_whole, new_piece
from rocketqa.jobs.processor import description
from rocketqa.jobs.temporary_folders import temporary_folder

COMPILER = (
    "cc",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-Wno-psabi",
    "-fPIC",
    "-shared",
)


class LibrarySource(NamedTuple):
    """What a library is made of. Files that are not .c are read by those that are."""

    name: str  # of the library
    files: Sequence[Path]
    flags: Sequence[str] = ()  # of the compiler, besides COMPILER
    linked: Sequence[str] = ("-lm",)
    version: str = ""  # of what is linked

    def load(self, without: str) -> ctypes.CDLL | None:
        """Returns the compiled library.

        Returns None where ROCKETQA_KERNELS=no, and where it cannot be compiled: then a line on the
        standard error says why. without: what is so without it, for that line.
        """
        if os.environ.get("ROCKETQA_KERNELS") == "no":
            return None
        try:
            cache_folder = _cache_folder()
            if cache_folder is not None:
                return self._loaded(cache_folder)
            with temporary_folder() as folder:
                return self._loaded(Path(folder, "kernels"))  # the folder itself is locked already
        except (OSError, subprocess.CalledProcessError) as error:
            print(
                f"{self.name}: expected a C compiler (cc) for the fast path, "
                f"got {_reason(error)}; {without}",
                file=sys.stderr,
            )
            return None

    def file_name(self) -> str:
        """Returns the name of the compiled library, another for each source, call, processor."""
        settings = [*COMPILER, *self.flags, *_processor_flags(), self.version, *self.linked]
        hashed = [file.read_bytes() for file in self.files]
        hashed += [setting.encode() for setting in settings]
        digest = hashlib.sha256(b" ".join(hashed)).hexdigest()
        return f"{self.name}-{digest[:16]}.so"

    def _loaded(self, folder: Path) -> ctypes.CDLL:
        """Returns the library of a folder, compiled where it is not there or is damaged."""
        compiled = folder / self.file_name()
        if not is_whole(compiled):
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of a launch come here at once
            try:
                if not is_whole(compiled):
                    self._compile(compiled)
            finally:
                os.close(lock)
        return ctypes.CDLL(str(compiled))

    def _compile(self, compiled: Path) -> None:
        """Compiles into a temporary directory and renames: another process never sees half a
        file.
        """
        sources = [str(file) for file in self.files if file.suffix == ".c"]
        with temporary_folder(compiled.parent) as folder:
            result = Path(folder) / compiled.name
            command = [*COMPILER, *self.flags, "-o", str(result), *sources, *self.linked]
            subprocess.run(command, check=True, capture_output=True)
            with new_piece(compiled) as unfinished:
                os.replace(result, unfinished)


def _cache_folder() -> Path | None:
    """Returns the folder of compiled libraries; None where the user has no home."""
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches:
        return Path(caches) / "rocketqa"
    try:
        return Path.home() / ".cache" / "rocketqa"
    except RuntimeError:  # HOME is not set, and no entry of the system's users names one
        return None


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    """Returns the compiler's first line on an error, else its last one, else those of the error."""
    if isinstance(error, OSError):
        return str(error)
    lines = error.stderr.decode(errors="replace").strip().splitlines()
    lines = [line for line in lines if "error" in line][:1] or lines[-1:]
    return lines[0] if lines else str(error)


def _processor_flags() -> list[str]:
    """Returns the line that lists the instruction sets of the processor; empty where unknown."""
    lines = description().splitlines()
    return [line for line in lines if line.startswith("flags")][:1]
