"""What building the files of a collection takes: time and peak memory of a data_prep script on made-up sources.

The sources are laid out as Microsoft's release of MS MARCO with the released titles: 56 words a passage, a title for
each, and a judged query for every 17 passages.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import generator

WORDS, PASSAGES_A_QUERY, DEV_QUERIES = 56, 17, 6980
LETTERS, WRITTEN = 6, 1 << 18  # of a word with its blank; words that the texts are cut from


class Cost(NamedTuple):
    """Seconds from start to end, those of the processor, and the most memory that the process had, in bytes."""

    seconds: float
    processor: float
    peak: int


def write_sources(folder: Path, size: int) -> None:
    """Writes the sources of a collection of `size` passages."""
    (folder / "marco").mkdir(parents=True)
    queries = max(1, size // PASSAGES_A_QUERY)
    write_lines(
        folder / "collection.tsv", (f"{row}\t{text}" for row, text in enumerate(_texts(size)))
    )
    write_lines(folder / "marco/para.title.txt", (f"{row}\tTitle {row}" for row in range(size)))
    for split, ids in (
        ("train", range(queries)),
        ("dev.small", range(queries, queries + min(queries, DEV_QUERIES))),
    ):
        write_lines(folder / f"queries.{split}.tsv", map("{0}\twhat is {0}".format, ids))
        write_lines(
            folder / f"qrels.{split}.tsv",
            (f"{query_id}\t0\t{query_id % size}\t1" for query_id in ids),
        )


def _texts(size: int) -> Iterator[str]:
    written = " ".join(
        f"w{word:04x}" for word in generator(1, "texts").integers(1 << 16, size=WRITTEN)
    )
    for row in range(size):
        begin = row * 7919 % (WRITTEN - WORDS) * LETTERS
        yield written[begin : begin + WORDS * LETTERS - 1]


def cost(script: Path, sources: Path, output: Path) -> Cost:
    """Builds the files in a process of its own and returns what that took. Raises DataError where it fails."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, script, "--from", sources, "--output", output],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process.stderr:
        told = process.stderr.read().splitlines()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise DataError(
            f"{script}: expected it to build {sources}, got {told[-1] if told else process.returncode}"
        )
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
