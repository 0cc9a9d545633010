"""Which stemmer suits BM25 on a collection: the MRR@10 of BM25 with each stemmer of PyStemmer, and
with none, on labelled training queries (`evaluation/small_search.py`).

A stemmer of another language takes off fewer of the right endings, so the best one is mostly that
of the language of the texts. It is taken where it gains LEAST_GAIN over none.
# Deviation: the paper's BM25 is that of others. A switch, CHOOSE, no in `marco.env` and `nq.env`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rocketqa.evaluation.small_search import CUTOFF, DIGITS, LEAST_GAIN, SmallSearch
from rocketqa.evaluation.tables import YES_OR_NO, Table
from rocketqa.files.runs import ranked
from rocketqa.search.bm25 import Bm25Settings, import_stemmers, retrieved

NO_STEMMER = "none"


class MeasuredStemmer(NamedTuple):
    """A stemmer by its name, NO_STEMMER for none, and its MRR@10."""

    stemmer: str
    mrr: float


class StemmerChoice(NamedTuple):
    """The stemmers, none first, as they were measured."""

    candidates: Sequence[MeasuredStemmer]

    @property
    def chosen(self) -> MeasuredStemmer:
        """The stemmer with the highest measure, of equal ones the first, where it gains LEAST_GAIN
        over none.
        """
        none = self.candidates[0]
        best = max(self.candidates, key=lambda candidate: candidate.mrr)
        return best if round(best.mrr - none.mrr, DIGITS) >= LEAST_GAIN else none

    def table(self) -> Table:
        """Returns the rows of choice.tsv, the best first."""
        table: Table = [["stemmer", "MRR@10", "chosen"]]
        for candidate in sorted(self.candidates, key=lambda candidate: -candidate.mrr):
            is_chosen = YES_OR_NO[candidate == self.chosen]
            table.append([candidate.stemmer, f"{candidate.mrr:.{DIGITS}f}", is_chosen])
        return table


def measure_stemmers(search: SmallSearch, k1: float, b: float) -> StemmerChoice:
    """Returns the measures of all stemmers. Raises MissingPackage without bm25s or PyStemmer."""
    stemmers = import_stemmers("the choice of a stemmer").algorithms()
    candidates = []
    for stemmer in (NO_STEMMER, *stemmers):
        name = "" if stemmer == NO_STEMMER else stemmer
        candidates.append(MeasuredStemmer(stemmer, _mrr(search, Bm25Settings(k1, b, name))))
    return StemmerChoice(candidates)


def _mrr(search: SmallSearch, settings: Bm25Settings) -> float:
    rankings: dict[str, list[str]] = {query_id: [] for query_id in search.queries}
    for query_id, found in retrieved(search.queries, search.passages, CUTOFF, settings):
        rankings[query_id] = [scored.passage_id for scored in ranked(query_id, found)]
    return search.mrr(rankings.values())
