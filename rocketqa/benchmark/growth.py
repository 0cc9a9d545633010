"""How time and memory grow with the collection: encoding it, and searching it.

The texts are made up, so a rate says nothing about real ones. What is looked at is the slope: by
which power of the number of passages the seconds grow from one size to the next. 1 is linear; less
than 1 is a share of fixed time, such as the start of a process.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.benchmark.child_cost import Cost, Failure, cost_of
from rocketqa.benchmark.data_build import WORDS_A_PASSAGE
from rocketqa.evaluation.figures import Labels, lines, save
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.seeds import generator
from rocketqa.jobs.temporary_folders import temporary_folder

QUERIES = 1000
WORDS_A_QUERY = 8
DEPTH = 100
ENCODE = "encode"
RETRIEVE = "retrieve"


class EncoderUse(NamedTuple):
    """The dual encoder that encodes, a folder, and the tokens at which it cuts a passage."""

    checkpoint: str
    passage_length: int


class Growth(NamedTuple):
    """The cost of a step on a collection.

    processes: that compute. rate: passages (encode) or queries (retrieve) a second. slope: from the
    size before; None for the first one.
    """

    step: str
    passages: int
    processes: int
    cost: Cost
    rate: float
    slope: float | None


def measure_growth(
    encoder: EncoderUse, sizes: Sequence[int], processes: Sequence[int]
) -> Iterator[Growth]:
    """Yields the cost of each step on collections of rising sizes. Raises DataError on a step that
    fails.
    """
    before: dict[tuple[str, int], Growth] = {}
    with temporary_folder() as folder:
        work = Path(folder)
        words = _words_of(Path(encoder.checkpoint))
        write_lines(work / "queries.tsv", _rows(words, QUERIES, WORDS_A_QUERY, "q{}\t{}"))
        for size in sorted(sizes):
            rows = _rows(words, size, WORDS_A_PASSAGE, "p{}\t\t{}")
            write_lines(work / "collection.tsv", rows)
            for count in processes:
                for step, cost in _costs_of_steps(work, encoder, size, count):
                    rate = (size if step == ENCODE else QUERIES) / cost.seconds
                    slope = _slope(before.get((step, count)), size, cost.seconds)
                    growth = Growth(step, size, count, cost, rate, slope)
                    before[step, count] = growth
                    yield growth


def draw(growths: Sequence[Growth], file: Path) -> None:
    """Draws the seconds of each step by the number of passages, both axes logarithmic, as PNG and
    SVG beside each other; `file` is the name of one of them.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    for growth in growths:
        name = f"{growth.step}, {growth.processes} at once"
        curves.setdefault(name, []).append((growth.passages, growth.cost.seconds))
    figure = lines(curves, Labels("Growth with the collection", "passages", "time (seconds)"))
    axes = figure.axes[0]
    axes.set_xscale("log")
    axes.set_yscale("log")
    save(figure, file.parent, file.stem)


def _costs_of_steps(
    work: Path, encoder: EncoderUse, size: int, processes: int
) -> Iterator[tuple[str, Cost]]:
    vectors = str(work / f"vectors.{size}.{processes}")
    of_queries = str(work / f"queries.{size}.{processes}")
    variables = {"OMP_NUM_THREADS": str(processes)}
    encoding = ("encode", "--checkpoint", encoder.checkpoint, "--precision", "reduced")
    collection = ("--collection", str(work / "collection.tsv"))
    length = ("--passage-length", str(encoder.passage_length))
    passages = (*encoding, *collection, *length, "--output", vectors)
    yield ENCODE, _cost_of_verb(passages, variables)
    queries = (*encoding, "--queries", str(work / "queries.tsv"), "--output", of_queries)
    _cost_of_verb(queries, variables)
    run = str(work / f"{size}.{processes}.run")
    searched = ("--query-vectors", of_queries, "--passage-vectors", vectors)
    retrieval = ("retrieve", *searched, "--depth", str(DEPTH), "--output", run)
    yield RETRIEVE, _cost_of_verb(retrieval, variables)


def _cost_of_verb(words: Sequence[str], variables: Mapping[str, str]) -> Cost:
    try:
        return cost_of([sys.executable, "-m", "rocketqa.cli", *words], variables)
    except Failure as failure:
        raise DataError(f"rocketqa {words[0]}: expected it to end, got {failure}") from failure


def _slope(before: Growth | None, size: int, seconds: float) -> float | None:
    if before is None:
        return None
    return math.log(seconds / before.cost.seconds) / math.log(size / before.passages)


def _words_of(checkpoint: Path) -> list[str]:
    """Returns the whole words of an encoder's vocabulary, of which the texts are made.

    Words that it does not know would all have one vector. Raises DataError where it has none.
    """
    vocabulary = checkpoint / "vocab.txt"
    entries = vocabulary.read_text(encoding="utf-8").split() if vocabulary.is_file() else []
    words = [entry for entry in entries if entry.isalpha()]
    if not words:
        raise DataError(f"{vocabulary}: expected the words of an encoder, got none")
    return words


def _rows(words: Sequence[str], count: int, length: int, form: str) -> Iterator[str]:
    drawing = generator(1, "growth", length)
    for row in range(count):
        places = drawing.integers(len(words), size=length).tolist()
        yield form.format(row, " ".join(words[place] for place in places))
