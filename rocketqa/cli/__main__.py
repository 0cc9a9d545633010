"""Finds the verb, runs it, and turns what a user must mend into one line and exit status 2.

`early_signals` comes first: until `main` handles signals, it lets them end the command in a line.
"""

import importlib
import os
import sys
from types import ModuleType

from rocketqa import __version__
from rocketqa.jobs import early_signals  # noqa: F401  It handles signals while the rest is imported.
from rocketqa.jobs.stopping import run_until_stopped

VERBS = (  # in the order of work
    "doctor",
    "validate",
    "plan",
    "preflight",
    "statistics",
    "tokenize",
    "choose-start",
    "choose-stemmer",
    "sample-negatives",
    "train-dual-encoder",
    "encode",
    "remove-passages",
    "index",
    "load",
    "bm25-index",
    "retrieve",
    "fuse",
    "train-cross-encoder",
    "calibrate",
    "score",
    "choose-depth",
    "report-denoising",
    "pseudo-label",
    "evaluate",
    "report",
    "search",
    "serve",
    "export",
    "benchmark",
)
# Values of MKL_DEBUG_CPU_TYPE.
MKL_AVX2 = "5"
MKL_AVX512 = "7"
# Bytes of address space that every verb needs; with fewer, numpy may wait for ever for its threads.
LEAST_MEMORY = 128 << 20


def usage() -> str:
    """Returns the list of the verbs, each with the first line of its docstring."""
    lines = [
        f"rocketqa {__version__}: dense passage retrieval as in RocketQA (NAACL 2021)",
        "",
        "usage: rocketqa VERB ...; rocketqa VERB --help shows its flags and an example",
        "",
    ]
    for verb in VERBS:
        summary = str(_module(verb).__doc__).splitlines()[0]
        lines.append(f"  {verb:20}{summary}")
    return "\n".join(lines)


def version_line() -> str:
    """Returns the version, the folder of the code that runs, and the version of Python."""
    import platform
    from pathlib import Path

    folder = Path(__file__).resolve().parents[1]
    return f"rocketqa {__version__} from {folder} (Python {platform.python_version()})"


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"rocketqa.cli.{verb.replace('-', '_')}")


def main(argv: list[str] | None = None) -> int:
    """Runs `rocketqa VERB ...` and returns its exit status.

    Without `argv` it is the command itself: signals stop it in one line. Signals of a program that
    passes `argv` are the program's own.
    """
    if argv is not None:
        return run(argv)
    words = sys.argv[1:]
    return run_until_stopped(" ".join(["rocketqa", *words[:1]]), lambda: run(words))


def run(argv: list[str]) -> int:
    """Runs a verb with its flags and returns its exit status."""
    from rocketqa.files.machine_errors import refuse_without_memory, tell_user

    if not argv:
        print(usage())
        return 2
    verb, *flags = argv
    if verb in ("-h", "--help"):
        print(usage())
        return 0
    if verb == "--version":
        print(version_line())
        return 0
    if verb not in VERBS:
        print(f"rocketqa: expected one of {', '.join(VERBS)}, got {verb}", file=sys.stderr)
        return 2
    silence_noise()
    try:
        refuse_without_memory(LEAST_MEMORY)
        use_the_processor()
        return _module(verb).main(flags)
    except BrokenPipeError:  # whoever reads our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  Libraries report a full disk in any way.
        return tell_user(f"rocketqa {verb}", error)


def use_the_processor() -> None:
    """Gives Paddle and numpy the cores of this process and the instructions of its processor.

    This must be said before they are imported; what the user has set stays. Paddle takes one core
    unless OMP_NUM_THREADS says otherwise. Its matrix products are those of MKL, which takes a slow
    path on AMD processors unless MKL_DEBUG_CPU_TYPE says what they can do: 39 instead of 153
    GFLOP/s a core where that was measured. Numpy's products are those of OpenBLAS, whose threads
    keep their cores for some 30 ms after a product, though others go on with its result, unless
    OPENBLAS_THREAD_TIMEOUT says for how many cycles (2 to its power).
    """
    from pathlib import Path

    from rocketqa.distributed.launch_variables import PROCESSES, number_in

    local = number_in("PADDLE_LOCAL_SIZE") if os.environ.get("PADDLE_LOCAL_SIZE") else 0
    processes = local or number_in(PROCESSES)
    cores = len(os.sched_getaffinity(0))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "8")
    description = Path("/proc/cpuinfo")
    processor = description.read_text(encoding="utf-8") if description.is_file() else ""
    if "AuthenticAMD" in processor and " avx2 " in processor:
        best = MKL_AVX512 if " avx512f " in processor else MKL_AVX2
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", best)


def silence_noise() -> None:
    """Hides the messages of Paddle, PaddleNLP and faiss that are no errors."""
    import logging
    import warnings

    from rocketqa.distributed.paddle_import import expect_import

    expect_import()
    os.environ.setdefault("GLOG_minloglevel", "2")
    logging.getLogger("faiss").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "Setuptools is replacing distutils")


if __name__ == "__main__":
    sys.exit(main())
