"""Compiles the kernels, C files of this folder, loads them and calls their functions.

They are compiled together when they are first used, by the compiler and for the processor of this
machine, and the result stays in the user's cache. Its name there is a hash of everything it depends
on, and a note beside it has its digest: a damaged library is compiled again. A user without a home
has no cache.
"""

import ctypes
import fcntl
import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import paddle

from rocketqa.jobs.pieces import is_whole, new_piece
from rocketqa.jobs.temporary_folders import temporary_folder

SOURCES = ("cpu_kernels.c", "int8_kernels.c", "cpu_kernels.h")
FOLDER = Path(__file__).parent
COMPILER = (
    "cc",
    "-O3",
    "-march=native",
    "-fopenmp",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-Wno-psabi",
    "-fPIC",
    "-shared",
)
# The OpenMP library of Paddle: one pool of threads serves Paddle's matrix products and the kernels.
OPENMP = Path(paddle.__file__).parent / "libs" / "libiomp5.so"
PROCESSOR = Path("/proc/cpuinfo")


@cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled kernels.

    Returns None where ROCKETQA_KERNELS=no, and where they cannot be compiled: then a line on the
    standard error says why.
    """
    if os.environ.get("ROCKETQA_KERNELS") == "no":
        return None
    try:
        cache_folder = _cache_folder()
        if cache_folder is not None:
            return _loaded(cache_folder)
        with temporary_folder() as folder:
            return _loaded(Path(folder, "kernels"))  # the folder itself is locked already
    except (OSError, subprocess.CalledProcessError) as error:
        print(
            "computing on a CPU: expected a C compiler (cc) for the fast path, "
            f"got {_reason(error)}; Paddle's own operators take about twice as long",
            file=sys.stderr,
        )
        return None


def call_kernel(name: str, *arguments: object) -> None:
    """Calls a function of the library.

    A tensor is passed as the address of its data, an int as a 64-bit integer, a float as float32,
    and a ctypes structure by reference. Raises RuntimeError where there is no library.
    """
    kernels = library()
    if kernels is None:
        raise RuntimeError(f"{name}: expected compiled kernels, got none")
    function = getattr(kernels, name)
    function(*[_as_c(argument) for argument in arguments])


def _as_c(argument: object) -> object:
    if isinstance(argument, paddle.Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    return argument


def _cache_folder() -> Path | None:
    """Returns the folder of compiled libraries; None where the user has no home."""
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches:
        return Path(caches) / "rocketqa"
    try:
        return Path.home() / ".cache" / "rocketqa"
    except RuntimeError:  # HOME is not set, and no entry of the system's users names one
        return None


def _loaded(folder: Path) -> ctypes.CDLL:
    """Returns the library of a folder, compiled where it is not there or is damaged."""
    compiled = folder / _file_name()
    if not is_whole(compiled):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of a launch come here at once
        try:
            if not is_whole(compiled):
                _compile(compiled)
        finally:
            os.close(lock)
    return ctypes.CDLL(str(compiled))


def _file_name() -> str:
    """Returns the name of the compiled library, another for each source, compiler call, Paddle."""
    settings = [*COMPILER, *_processor_flags(), paddle.__version__, str(OPENMP)]
    sources = [(FOLDER / source).read_bytes() for source in SOURCES]
    hashed = sources + [setting.encode() for setting in settings]
    digest = hashlib.sha256(b" ".join(hashed)).hexdigest()
    return f"cpu_kernels-{digest[:16]}.so"


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    """Returns the last words of the compiler, or else those of the error."""
    if isinstance(error, OSError):
        return str(error)
    words = error.stderr.decode(errors="replace").strip()
    return words.rpartition("\n")[2] or str(error)


def _processor_flags() -> list[str]:
    """Returns the line that lists the instruction sets of the processor; empty where unknown."""
    if not PROCESSOR.is_file():
        return []
    lines = PROCESSOR.read_text().splitlines()
    return [line for line in lines if line.startswith("flags")][:1]


def _compile(compiled: Path) -> None:
    """Compiles into a temporary directory and renames: another process never sees half a file."""
    libraries = ["-lm"]
    if OPENMP.is_file():
        libraries = [str(OPENMP), f"-Wl,-rpath,{OPENMP.parent}", "-lm"]
    with temporary_folder(compiled.parent) as folder:
        result = Path(folder) / compiled.name
        sources = [str(FOLDER / source) for source in SOURCES if source.endswith(".c")]
        command = [*COMPILER, "-o", str(result), *sources, *libraries]
        subprocess.run(command, check=True, capture_output=True)
        with new_piece(compiled) as unfinished:
            os.replace(result, unfinished)
