"""Compiles `cpu_kernels.c`, loads it and calls its functions.

The file is compiled when it is first used, by the compiler and for the processor of this machine,
and the result stays in the user's cache. Its name there is a hash of everything it depends on.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import paddle

SOURCE = Path(__file__).with_name("cpu_kernels.c")
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
    compiled = _path_in_cache()
    try:
        if not compiled.is_file():
            _compile(compiled)
        return ctypes.CDLL(str(compiled))
    except (OSError, subprocess.CalledProcessError) as error:
        print(
            "training on a CPU: expected a C compiler (cc) for the fast path, "
            f"got {error}; Paddle's own operators take about twice as long",
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


def _path_in_cache() -> Path:
    """Returns where the compiled library is kept: a name for each source, compiler call, Paddle."""
    settings = [*COMPILER, *_processor_flags(), paddle.__version__, str(OPENMP)]
    hashed = [SOURCE.read_bytes()] + [setting.encode() for setting in settings]
    digest = hashlib.sha256(b" ".join(hashed)).hexdigest()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "rocketqa" / f"cpu_kernels-{digest[:16]}.so"


def _processor_flags() -> list[str]:
    """Returns the line that lists the instruction sets of the processor; empty where unknown."""
    if not PROCESSOR.is_file():
        return []
    lines = PROCESSOR.read_text().splitlines()
    return [line for line in lines if line.startswith("flags")][:1]


def _compile(compiled: Path) -> None:
    """Compiles into a temporary directory and renames: another process never sees half a file."""
    compiled.parent.mkdir(parents=True, exist_ok=True)
    libraries = ["-lm"]
    if OPENMP.is_file():
        libraries = [str(OPENMP), f"-Wl,-rpath,{OPENMP.parent}", "-lm"]
    with tempfile.TemporaryDirectory(dir=compiled.parent) as folder:
        unfinished = Path(folder) / compiled.name
        command = [*COMPILER, "-o", str(unfinished), str(SOURCE), *libraries]
        subprocess.run(command, check=True, capture_output=True)
        os.replace(unfinished, compiled)
