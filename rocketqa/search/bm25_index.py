"""A BM25 index that is made once of collections, kept in a folder, and mapped by every search.

bm25s' own files      the scores of all terms and passages, mapped into memory
passages.ids          the id of each passage, one a line, in the order of the collections
meta.json             the parameters, the digest of each collection, `rows` (passages of each
                      collection), and `terms`: words or bigrams

Text without blanks, as Chinese, has bigrams where a tenth of the passages hold such text.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
from numpy import float32, ndarray

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, read_collection, write_lines
from rocketqa.files.packages import import_package
from rocketqa.files.unspaced_text import is_unspaced
from rocketqa.jobs.digests import digest
from rocketqa.search.bm25 import Bm25Settings, Terms, index_of
from rocketqa.search.fusion import Scored
from rocketqa.search.ids import IdList
from rocketqa.search.index_record import maker, manifest_of_index

BM25_INDEX = "bm25-index"  # the verb that makes an index
IDS = "passages.ids"
BIGRAMS, WORDS = "bigrams", "words"
SHARE_WITH_BIGRAMS = 0.1  # of the passages hold text without blanks


def write_bm25_index(
    collections: Sequence[Path], settings: Bm25Settings, folder: Path
) -> dict[str, object]:
    """Writes the index of collections into a folder, and returns what is recorded about it.

    All texts are in memory meanwhile. Raises DataError where no passage has a term.
    """
    passages: list[Passage] = []
    rows = []
    for path in collections:
        of_file = read_collection(path).values()
        rows.append(len(of_file))
        passages += of_file
    kind = kind_of_terms(passages)
    index = index_of(passages, Terms(settings.stemmer, kind == BIGRAMS), settings)
    if index is None:
        names = ", ".join(str(path) for path in collections)
        raise DataError(f"{names}: expected passages with words, got none")
    index.save(str(folder), show_progress=False)
    write_lines(folder / IDS, (passage.passage_id for passage in passages))
    return {"rows": rows, "terms": kind}


def kind_of_terms(passages: Sequence[Passage]) -> str:
    """Returns what the terms of passages are: WORDS, or BIGRAMS."""
    unspaced = sum(is_unspaced(passage.text) for passage in passages)
    return BIGRAMS if unspaced > SHARE_WITH_BIGRAMS * len(passages) else WORDS


class Bm25Index:
    """The index in a folder; it answers from the collections that it was made of.

    left_out: collection file -> ids of its passages that are never found. Raises DataError where
    the folder is no such index, or one of other collections.
    """

    def __init__(self, folder: Path, left_out: Mapping[Path, Set[str]]):
        manifest = manifest_of_index(folder, BM25_INDEX, "a BM25 index")
        job = manifest.nested("job")
        ids_by_digest = {digest(path): ids for path, ids in left_out.items()}
        digests = job.nested("inputs").require("collection", list)
        if sorted(digests) != sorted(ids_by_digest):
            names = ", ".join(str(path) for path in left_out)
            raise DataError(
                f"{folder}: expected a BM25 index of {names}, got one of other passages: make it "
                f"again with {maker(BM25_INDEX)}"
            )
        bm25s = import_package("bm25s", str(folder), "bm25s")
        self._index: Any = bm25s.BM25.load(str(folder), mmap=True)
        with (folder / IDS).open("rb") as lines:
            self._ids = IdList(lines)
        stemmer = job.nested("flags").require("stemmer", str)
        self._terms_of = Terms(stemmer, manifest.require("terms", str) == BIGRAMS)
        rows = manifest.require("rows", list)
        self._mask = self._mask_of(rows, [ids_by_digest[each] for each in digests])

    def _mask_of(self, rows: Sequence[int], left_out: Iterable[Set[str]]) -> ndarray | None:
        """Returns 0 for each row that is left out and 1 for the others; None: all are found.

        rows: the number of rows of each collection.
        """
        mask = np.ones(len(self._ids), float32)
        begin = 0
        for count, ids in zip(rows, left_out):
            end = begin + count
            found = self._ids.rows_of(ids)
            mask[found[(found >= begin) & (found < end)]] = 0
            begin = end
        return None if mask.all() else mask

    def search(self, query: str, depth: int) -> list[Scored]:
        """Returns the best passages that share a term with a query, at most `depth`.

        They are ordered by (score descending, passage_id ascending).
        """
        [ids], vocabulary = self._terms_of([query])
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        terms = [words[term] for term in ids if words[term] in self._index.vocab_dict]
        if not terms:
            return []
        scores = self._index.get_scores(terms, weight_mask=self._mask)
        found = np.flatnonzero(scores > 0)
        if len(found) > depth:
            lowest = np.partition(scores[found], -depth)[-depth]
            found = found[scores[found] >= lowest]
        scored = zip(self._ids.at(found), scores[found].tolist())
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:depth]
