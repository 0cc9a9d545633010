"""The time and the peak memory that a script of data_prep/ takes to build a collection's files.

The sources are made up. They have the layout of Microsoft's release of MS MARCO together with the
released titles: 56 words a passage, a title for each, and a judged query for every 17 passages.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rocketqa.benchmark.child_cost import Cost, Failure, cost_of
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import generator
from rocketqa.jobs.temporary_folders import temporary_folder

WORDS_A_PASSAGE = 56
PASSAGES_A_QUERY = 17
DEV_QUERIES = 6980  # at most
CHARACTERS_A_WORD = 6  # with the blank behind it
WORDS_IN_ALL = 1 << 18  # all passages are cut from this many random words
STRIDE = 7919  # words from the begin of a text to that of the next; a prime, so few texts repeat


def measure_builds(script: Path, sizes: Sequence[int]) -> Iterator[tuple[int, Cost]]:
    """Yields the number of passages and the cost of building, for each size."""
    for size in sizes:
        with temporary_folder() as folder:
            sources = Path(folder) / "sources"
            write_sources(sources, size)
            yield size, measure_build(script, sources, Path(folder) / "built")


def write_sources(folder: Path, size: int) -> None:
    """Writes the sources of a collection of `size` passages."""
    (folder / "marco").mkdir(parents=True)
    passages = (f"{row}\t{text}" for row, text in enumerate(_random_texts(size)))
    titles = (f"{row}\tTitle {row}" for row in range(size))
    write_lines(folder / "collection.tsv", passages)
    write_lines(folder / "marco/para.title.txt", titles)
    train_queries = max(1, size // PASSAGES_A_QUERY)
    dev_queries = min(train_queries, DEV_QUERIES)
    _write_split(folder, "train", range(train_queries), size)
    _write_split(folder, "dev.small", range(train_queries, train_queries + dev_queries), size)


def _write_split(folder: Path, split: str, query_ids: range, size: int) -> None:
    queries = (f"{query_id}\twhat is {query_id}" for query_id in query_ids)
    qrels = (f"{query_id}\t0\t{query_id % size}\t1" for query_id in query_ids)
    write_lines(folder / f"queries.{split}.tsv", queries)
    write_lines(folder / f"qrels.{split}.tsv", qrels)


def _random_texts(size: int) -> Iterator[str]:
    numbers = generator(1, "texts").integers(1 << 16, size=WORDS_IN_ALL)
    words = " ".join(f"w{number:04x}" for number in numbers)
    for row in range(size):
        first_word = row * STRIDE % (WORDS_IN_ALL - WORDS_A_PASSAGE)
        begin = first_word * CHARACTERS_A_WORD
        yield words[begin : begin + WORDS_A_PASSAGE * CHARACTERS_A_WORD - 1]


def measure_build(script: Path, sources: Path, output: Path) -> Cost:
    """Builds the files in a process of its own and returns its cost.

    Raises DataError where the script fails.
    """
    command = [sys.executable, str(script), "--from", str(sources), "--output", str(output)]
    try:
        return cost_of(command)
    except Failure as failure:
        raise DataError(f"{script}: expected it to build {sources}, got {failure}") from failure
