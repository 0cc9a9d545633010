"""The compiled kernels of the encoders: C files of this folder, and calls of their functions."""

import ctypes
from functools import cache
from pathlib import Path

import paddle

from rocketqa.jobs.compiled_library import LibrarySource

SOURCES = (
    *("cpu_kernels.c", "encoder_kernels.c"),
    *("amx_products.h", "cpu_kernels.h", "float32_tile.h", "rounded_attention.h"),
)
FOLDER = Path(__file__).parent
# The OpenMP library of Paddle: one pool of threads serves Paddle's matrix products and the kernels.
OPENMP = Path(paddle.__file__).parent / "libs" / "libiomp5.so"


@cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled kernels; None where there are none (`LibrarySource.load`)."""
    return source().load("Paddle's own operators take about twice as long")


def source() -> LibrarySource:
    """Returns what the kernels are compiled from."""
    linked = ["-lm"]
    if OPENMP.is_file():
        linked = [str(OPENMP), f"-Wl,-rpath,{OPENMP.parent}", "-lm"]
    files = [FOLDER / name for name in SOURCES]
    return LibrarySource("cpu_kernels", files, ["-fopenmp"], linked, paddle.__version__)


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
