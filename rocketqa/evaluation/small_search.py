"""A small search that choices before the training are measured by: labelled training queries over
their relevant passages and some drawn ones.

The cost does not grow with the collection. Dev queries are not looked at: a choice by their labels
would make the measures on them too high.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.measures import mean, reciprocal_rank
from rocketqa.files.collection import CollectionFile
from rocketqa.files.formats import Passage, Query, read_positives, read_queries
from rocketqa.files.rows import Check
from rocketqa.jobs.seeds import number

CUTOFF = 10
DIGITS = 4  # of a measure; candidates that agree in them are equal
LEAST_GAIN = 0.01  # in MRR@10, of what is not taken without a reason
DRAWN_PASSAGES = 2000


class SmallSearch(NamedTuple):
    """Labelled queries, the passages that they search, in ascending order of their ids, and the ids
    of the relevant ones.
    """

    queries: Mapping[str, Query]
    passages: Mapping[str, Passage]
    positives: Mapping[str, Sequence[str]]

    def mrr(self, rankings: Iterable[list[str]]) -> float:
        """Returns MRR@10, rounded, of the passage ids that were found for each query."""
        reciprocal_ranks = {}
        for query_id, ranking in zip(self.queries, rankings, strict=True):
            relevant = self.positives[query_id]
            reciprocal_ranks[query_id] = reciprocal_rank(ranking, relevant, CUTOFF)
        return round(mean(reciprocal_ranks), DIGITS)

    def size(self) -> str:
        """Returns how many queries and passages there are, in words."""
        return f"{len(self.queries):,} labelled queries over {len(self.passages):,} passages"


def read_small_search(
    collection: Path, queries: Path, qrels: Path, count: int, seed: int
) -> SmallSearch:
    """Reads the queries that have labels, with their relevant passages and `count` drawn ones.

    Raises DataError where a file is not as it should be.
    """
    all_queries = read_queries(queries)
    all_passages = CollectionFile(collection)
    check = Check(query_ids=all_queries, passage_ids=all_passages)
    positives = read_positives(qrels, check=check)
    labelled = {passage_id for of_query in positives.values() for passage_id in of_query}
    drawn = drawn_passages(all_passages, labelled, count, seed)
    passage_ids = sorted([*labelled, *drawn])
    return SmallSearch(
        queries={query_id: all_queries[query_id] for query_id in positives},
        passages={passage_id: all_passages[passage_id] for passage_id in passage_ids},
        positives=positives,
    )


def drawn_passages(
    collection: Mapping[str, Passage], left_out: set[str], count: int, seed: int
) -> list[str]:
    """Returns the ids of `count` passages, all where there are no more, by the seed and their ids;
    those that are left out do not count.
    """

    def place(passage_id: str) -> int:
        return number(seed, "passages of the start", passage_id, bits=64)

    others = (passage_id for passage_id in collection if passage_id not in left_out)
    return heapq.nsmallest(count, others, key=place)
