"""Rounds of contenders that run a graph on padded arrays: tokenizing, sorting by length, batches.

The token ids are those of this package, made by the library tokenizers.

Letters: N rows of a batch, L tokens of its longest row, H hidden size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer

from rocketqa.benchmark.workload import PAIR_LENGTH, PASSAGE_LENGTH, SCORE, Round, Texts
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import NO_TITLE

INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # of a graph, in this order
Batch = dict[str, np.ndarray]  # a name of INPUTS -> int64 [N, L]
RunBatches = Callable[[Iterable[Batch]], Sequence[np.ndarray]]  # -> [N, H] each, in their order


def round_in_batches(
    run: RunBatches, tokenizer: Tokenizer, work: str, texts: Texts, size: int
) -> Round:
    """Returns a round that tokenizes the texts and runs them in batches of `size` rows.

    The round returns the vectors in the order of the texts, [rows, H].
    """

    def run_all() -> np.ndarray:
        rows = rows_of(tokenizer, work, texts)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]), reverse=True)
        longest_first = [rows[place] for place in order]
        vectors = np.concatenate(run(batches_of(longest_first, size)))
        return vectors[np.argsort(order)]

    return run_all


def rows_of(tokenizer: Tokenizer, work: str, texts: Texts) -> list[Encoding]:
    """Returns the row of each text (or pair), cut longest first to the length of the work."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(PAIR_LENGTH if work == SCORE else PASSAGE_LENGTH)
    if work == SCORE:
        pairs = list(zip(texts.queries, joined(texts.passages)))
    else:
        pairs = titles_and_texts(texts.passages)
    return tokenizer.encode_batch_fast(pairs)


def titles_and_texts(passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """Returns the pair that a dual encoder reads, for each passage."""
    return [(passage.title or NO_TITLE, passage.text) for passage in passages]


def joined(passages: Sequence[Passage]) -> list[str]:
    """Returns what a cross encoder reads of each passage."""
    return [f"{passage.title} {passage.text}" for passage in passages]


def batches_of(rows: Sequence[Encoding], size: int) -> Iterator[Batch]:
    """Yields the rows in padded batches of `size`."""
    for begin in range(0, len(rows), size):
        yield padded(rows[begin : begin + size])


def padded(rows: Sequence[Encoding]) -> Batch:
    """Returns the rows as one batch, 0 on padding."""
    longest = max(len(row) for row in rows)
    batch = {name: np.zeros((len(rows), longest), np.int64) for name in INPUTS}
    for place, row in enumerate(rows):
        length = len(row)
        batch["input_ids"][place, :length] = row.ids
        batch["attention_mask"][place, :length] = 1
        batch["token_type_ids"][place, :length] = row.type_ids
    return batch
