"""Checks of what a Python program passes to the toolkit: lists of texts, pairs of texts, numbers.

A wrong argument raises a DataError that names it: `para[1]: expected a text, got NoneType`.
"""

import math
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage

LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a UTF-16 pair: no tokenizer takes it


def checked_texts(name: str, values: Sequence[str], may_be_empty: bool = False) -> list[str]:
    """Returns the argument `name` as a list of texts.

    Raises DataError where it is a single text, where an element is no text, and where an element is
    empty or blank (unless `may_be_empty`).
    """
    if isinstance(values, str):
        raise DataError(f"{name}: expected a list of texts, got a single text")
    if isinstance(values, bytes) or not isinstance(values, Iterable):
        kind = type(values).__name__
        raise DataError(f"{name}: expected a list of texts, got a single {kind}")
    texts = list(values)
    for number, text in enumerate(texts):
        _check_text(f"{name}[{number}]", text, may_be_empty)
    return texts


def _check_text(place: str, text: object, may_be_empty: bool) -> None:
    if not isinstance(text, str):
        raise DataError(f"{place}: expected a text, got {type(text).__name__}")
    if not text.strip() and not may_be_empty:
        raise DataError(f"{place}: expected a text, got an empty one")
    if LONE_SURROGATE.search(text):
        raise DataError(f"{place}: expected a text, got half a character of UTF-16")


def checked_passages(para: Sequence[str], title: Sequence[str], no_title: str) -> list[Passage]:
    """Returns a passage for each text in `para`; `no_title` stands for a missing or empty title.

    Raises DataError where there are titles, but not as many as texts.
    """
    texts = checked_texts("para", para)
    titles = checked_texts("title", title, may_be_empty=True)
    if not titles:
        titles = [no_title] * len(texts)
    if len(titles) != len(texts):
        expected = f"{len(texts)}, one for each para, or none"
        raise DataError(f"title: expected {expected}, got {len(titles)}")
    return [Passage("", title or no_title, text) for title, text in zip(titles, texts)]


def checked_pairs(
    query: Sequence[str], para: Sequence[str], title: Sequence[str], no_title: str
) -> list[tuple[str, Passage]]:
    """Returns each query with its passage.

    Raises DataError where there are not as many passages as queries.
    """
    queries = checked_texts("query", query)
    passages = checked_passages(para, title, no_title)
    if len(queries) != len(passages):
        expected = f"{len(queries)}, one for each query"
        raise DataError(f"para: expected {expected}, got {len(passages)}")
    return list(zip(queries, passages))


def checked_whole_number(name: str, value: int) -> int:
    """Returns a whole number from 1 as an int. Raises DataError on anything else."""
    if not isinstance(value, Integral) or value < 1:
        raise DataError(f"{name}: expected a whole number from 1, got {value!r}")
    return int(value)


def checked_rate(value: float) -> float:
    """Returns a learning rate as a float. Raises DataError where it is no finite number above 0."""
    if not isinstance(value, Real) or not 0 < value < math.inf:
        raise DataError(f"learning_rate: expected a number above 0, got {value!r}")
    return float(value)
