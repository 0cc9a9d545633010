"""The contenders of `rocketqa benchmark speed`, by the names that its table shows.

A contender prepares its model and returns a function that does one round of the work. Its libraries
are loaded by then at the earliest, because no environment needs to have all of them.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from rocketqa.benchmark.workload import ENCODE, SCORE, WORKS, Round, Texts

PADDLENLP = "paddlenlp"
SENTENCE_TRANSFORMERS = "sentence_transformers"


class Contender(NamedTuple):
    """One way to do the work.

    prepare: work, weights (a folder), texts -> a round. works: those that it can do.
    package: what it needs besides ours: PADDLENLP, or SENTENCE_TRANSFORMERS, whose interpreter is
    another.
    threads: None for one on each core.
    """

    prepare: Callable[[str, str, Texts], Round]
    works: tuple[str, ...] = WORKS
    package: str = ""
    threads: int | None = None


def _ours(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_ours import prepare

    return prepare(work, weights, texts, "float32")


def _ours_reduced(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_ours import prepare

    return prepare(work, weights, texts, "reduced")


def _padded_paddlenlp(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_paddlenlp import prepare

    return prepare(work, weights, texts)


def _sentence_transformers_float32(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_sentence_transformers import prepare

    return prepare(work, weights, texts, "float32")


def _sentence_transformers_bfloat16(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_sentence_transformers import prepare

    return prepare(work, weights, texts, "bfloat16")


OURS = "ours"  # all others are compared with it
CONTENDERS = {
    OURS: Contender(_ours),
    "ours, reduced": Contender(_ours_reduced, works=(ENCODE, SCORE)),
    "ours, one thread": Contender(_ours, threads=1),
    "padded PaddleNLP": Contender(_padded_paddlenlp, package=PADDLENLP),
    "sentence-transformers float32": Contender(
        _sentence_transformers_float32, package=SENTENCE_TRANSFORMERS
    ),
    "sentence-transformers bfloat16": Contender(
        _sentence_transformers_bfloat16,
        works=(ENCODE, SCORE),
        package=SENTENCE_TRANSFORMERS,
    ),
}


def contenders_of(work: str, missing: Collection[str] = ()) -> list[str]:
    """Returns the names of the contenders that do a work, `OURS` first.

    missing: packages without which they must do.
    """
    names = []
    for name, contender in CONTENDERS.items():
        if work in contender.works and contender.package not in missing:
            names.append(name)
    return names
