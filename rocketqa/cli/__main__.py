"""Finds the verb, runs it, and turns what a user must mend into one line and exit status 2."""

import importlib
import logging
import os
import sys
import warnings
from pathlib import Path

from rocketqa import __version__
from rocketqa.files.errors import DataError

MKL_AVX2, MKL_AVX512 = "5", "7"
VERBS = (  # in the order of work
    "validate",
    "plan",
    "statistics",
    "tokenize",
    "sample-negatives",
    "train-dual-encoder",
    "encode",
    "retrieve",
    "train-cross-encoder",
    "score",
    "report-denoising",
    "pseudo-label",
    "evaluate",
    "report",
    "search",
    "serve",
    "export",
    "benchmark",
)


def usage() -> str:
    """Returns a line for each verb: the first of its docstring."""
    lines = [
        f"rocketqa {__version__}: dense passage retrieval as in RocketQA (NAACL 2021)",
        "",
        "usage: rocketqa VERB ...; rocketqa VERB --help tells its flags",
        "",
    ]
    for verb in VERBS:
        lines.append(f"  {verb:20}{_module(verb).__doc__.splitlines()[0]}")
    return "\n".join(lines)


def _module(verb: str):
    return importlib.import_module(f"rocketqa.cli.{verb.replace('-', '_')}")


def main(argv: list[str] | None = None) -> int:
    """Runs `rocketqa VERB ...` and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "--version"):
        print(__version__ if argv[:1] == ["--version"] else usage())
        return 0 if argv else 2
    if argv[0] not in VERBS:
        print(f"rocketqa: expected one of {', '.join(VERBS)}, got {argv[0]}", file=sys.stderr)
        return 2
    use_the_processor()
    silence_noise()
    try:
        return _module(argv[0]).main(argv[1:])
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DataError, OSError) as error:
        print(f"rocketqa {argv[0]}: {error}", file=sys.stderr)
        return 2


def use_the_processor() -> None:
    """Gives Paddle the cores of this process (it takes one unless told before its import) and their instructions.

    Paddle's matrix products are MKL's, which take a slow path on AMD processors unless told what these can do: 39
    instead of 153 GFLOP/s a core where that was measured. What the user has set stays.
    """
    processes = int(os.environ.get("PADDLE_LOCAL_SIZE", os.environ.get("PADDLE_TRAINERS_NUM", "1")))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    processor = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    )
    if "AuthenticAMD" in processor and " avx2 " in processor:
        os.environ.setdefault(
            "MKL_DEBUG_CPU_TYPE", MKL_AVX512 if " avx512f " in processor else MKL_AVX2
        )


def silence_noise() -> None:
    """Keeps what Paddle and faiss say of themselves off the screen; errors are shown."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    warnings.filterwarnings("ignore", message="No ccache found")
    logging.getLogger("faiss").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
