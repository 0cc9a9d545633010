"""The import of Paddle without its noise and without its handlers of signals, and that of faiss.

Paddle prints warnings that mean nothing to a user, and takes SIGTERM over with a handler of its own
that can deadlock. Both happen when it is imported, which the verbs do late and in many places.
`expect_import` is called before. Where a limit leaves too little memory, the import of faiss would
be a crash without a word.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from io import TextIOBase
from types import ModuleType
from typing import Any, TextIO

from rocketqa.files.machine_errors import refuse_without_memory
from rocketqa.jobs import stopping

PADDLE = "paddle"
FAISS = "faiss"
MEMORY_OF_PADDLE = 1 << 30  # bytes of address space that its import may take
MEMORY_OF_FAISS = 448 << 20  # measured with numpy: 438 MiB, with one thread 270
# A line on the standard error stream that holds one of these is noise.
NOISE = (
    "WARNING: OMP_NUM_THREADS set to",  # paddle/base/__init__.py, at import
    "PLEASE USE OMP_NUM_THREADS WISELY",
    "No ccache found",  # paddle/utils/cpp_extension, at import: a warning and its line of code
    "warnings.warn(warning_message)",
    "Modified FLAGS detected",  # paddle/distributed/parallel.py, where processes join a launch
    "FLAGS(name=",
    "=" * 70,
)


class _WithoutNoise(TextIOBase):
    """Passes on all lines but the noise."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        """Takes any piece of a text; whole lines are passed on."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if not is_noise(line):
                self._stream.write(f"{line}\n")
        return len(text)

    def pass_on_the_rest(self) -> None:
        """Passes on a line that has no end yet."""
        if not is_noise(self._line):
            self._stream.write(self._line)
        self._stream.flush()


def is_noise(line: str) -> bool:
    """Returns whether Paddle prints this line where all is well."""
    return any(words in line for words in NOISE)


@contextmanager
def without_noise() -> Iterator[None]:
    """Leaves the noise out of what Python code writes on the standard error stream."""
    stream = sys.stderr
    filtered = _WithoutNoise(stream)
    sys.stderr = filtered
    try:
        yield
    finally:
        sys.stderr = stream
        filtered.pass_on_the_rest()


class _Loader(Loader):
    """Loads a module as its own loader does, within what `run` adds."""

    def __init__(self, loader: Loader, run: Callable[[Loader, ModuleType], None]):
        self._loader = loader
        self._run = run

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leaves the making of the module to its own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module, which does not see this loader."""
        module.__loader__ = self._loader
        if module.__spec__:
            module.__spec__.loader = self._loader
        self._run(self._loader, module)


def _run_paddle(loader: Loader, module: ModuleType) -> None:
    """Runs the package. It catches every exception in places, so a request to stop is asked for."""
    refuse_without_memory(MEMORY_OF_PADDLE)
    with without_noise():
        loader.exec_module(module)
    stopping.raise_if_requested()


def _run_faiss(loader: Loader, module: ModuleType) -> None:
    """Runs the package, whose library takes memory for its threads as soon as it is loaded."""
    refuse_without_memory(MEMORY_OF_FAISS)
    loader.exec_module(module)


def _run_core(loader: Loader, module: Any) -> None:
    """Runs the module whose `init_glog` takes signals over, and lets it give them back."""
    with stopping.signals_wait():  # it says of any exception that it cannot be imported
        loader.exec_module(module)
    take_over = module.init_glog

    def init_glog(*arguments: str) -> None:
        are_handled = stopping.are_handled()
        take_over(*arguments)
        module.disable_signal_handler()
        if are_handled:
            stopping.handle_signals()

    module.init_glog = init_glog


RUN = {PADDLE: _run_paddle, f"{PADDLE}.base.core": _run_core, FAISS: _run_faiss}


class _PaddleFinder(MetaPathFinder):
    """Finds the modules of RUN as the next finder does, with another loader."""

    def __init__(self) -> None:
        self._finding = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns how a module of RUN is loaded; None for any other module."""
        if name not in RUN or self._finding:
            return None
        self._finding = True
        spec = find_spec(name)
        self._finding = False
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader, RUN[name])
        return spec


def expect_import() -> None:
    """Prepares the import of Paddle, unless this process has done so, or has Paddle already."""
    are_prepared = any(isinstance(finder, _PaddleFinder) for finder in sys.meta_path)
    if PADDLE not in sys.modules and not are_prepared:
        sys.meta_path.insert(0, _PaddleFinder())
