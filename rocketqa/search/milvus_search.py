"""A collection of Milvus as an engine of candidates.

Milvus gives passage ids; its scores, and the order of its answers, are not used.

Letters: Q queries, H vector size, C candidates of each query, N passages.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import int64, ndarray

from rocketqa.files.errors import DataError
from rocketqa.search.ids import IdList
from rocketqa.search.milvus_client import LONGEST_CALL, connect, milvus_errors_as_one_line
from rocketqa.search.milvus_record import (
    MilvusCollection,
    MilvusIndex,
    MilvusRecord,
    Parameters,
    read_finished,
)
from rocketqa.search.vectors import VectorStore

ID = "passage_id"
VECTOR = "vector"
METRIC = "IP"
MOST_CANDIDATES = 16384  # the largest limit of a search in Milvus
QUERIES_AT_ONCE = 16  # in one call: milvus-lite drops a client that waits long


class RowsOfIds:
    """Finds the rows of passages by their ids. rows_by_id: int [N], as the store has them."""

    def __init__(self, ids: IdList, rows_by_id: ndarray):
        self._ids = ids
        self._rows = rows_by_id

    def find(self, passage_ids: Sequence[str]) -> ndarray:
        """Returns the row of each id, int64 [n]; -1 where no passage has it."""
        count = len(self._rows)
        low = np.zeros(len(passage_ids), int64)
        high = np.full(len(passage_ids), count)
        for _ in range(count.bit_length()):
            middle = np.minimum((low + high) // 2, count - 1)
            others = self._ids.at(self._rows[middle])
            is_before = np.array([a < b for a, b in zip(others, passage_ids)], bool)
            is_open = low < high
            low = np.where(is_open & is_before, middle + 1, low)
            high = np.where(is_open & ~is_before, middle, high)
        rows = self._rows[np.minimum(low, count - 1)].astype(int64)
        is_found = [a == b for a, b in zip(self._ids.at(rows), passage_ids)]
        return np.where(np.array(is_found, bool), rows, -1)


class OpenCollection(NamedTuple):
    """A collection of certain vectors, and its record."""

    collection: MilvusCollection
    record: MilvusRecord


def open_collection(uri: str, name: str, passage_vectors: Sequence[Path]) -> OpenCollection:
    """Returns the collection of the vectors in some folders.

    Raises DataError where there is none, and where it is of others, or not whole.
    """
    collection = MilvusCollection(connect(uri, must_exist=True), uri, name)
    return OpenCollection(collection, read_finished(collection, passage_vectors))


class MilvusCandidates:
    """A collection, loaded for searching, as an engine of candidates (`Candidates`).

    parameters: instead of those of the index; empty: those. Raises DataError where a passage id
    occurs twice.
    """

    def __init__(
        self,
        collection: MilvusCollection,
        index: MilvusIndex,
        passages: VectorStore,
        parameters: Parameters | None = None,
    ):
        self._collection = collection
        self._index = index
        self._parameters = parameters or index.search
        self._rows = RowsOfIds(passages.ids, passages.rows_by_id())

    def find(self, queries: ndarray, count: int) -> ndarray:
        """Returns the rows of the candidates of each query, int64 [Q, count]; -1 for none."""
        if count > MOST_CANDIDATES:
            raise DataError(
                f"--depth: expected at most {MOST_CANDIDATES} candidates, twice the depth and some "
                f"to spare, because Milvus gives no more, got {count}"
            )
        found = np.full((len(queries), count), -1, int64)
        at_once = QUERIES_AT_ONCE
        for begin in range(0, len(queries), at_once):
            for row, hits in enumerate(self._hits(queries[begin : begin + at_once], count), begin):
                passage_ids = [str(hit[ID]) for hit in hits]
                if passage_ids:
                    found[row, : len(passage_ids)] = self._rows.find(passage_ids)
        return found

    def _hits(self, queries: ndarray, count: int) -> Sequence:
        """Returns what Milvus finds for each query."""
        with milvus_errors_as_one_line(self._collection.uri):
            return self._collection.client.search(
                self._collection.name,
                data=list(queries),
                anns_field=VECTOR,
                limit=count,
                output_fields=[ID],
                search_params={"metric_type": METRIC, "params": self._parameters_for(count)},
                consistency_level="Strong",
                timeout=LONGEST_CALL,
            )

    def _parameters_for(self, count: int) -> Parameters:
        """Returns the parameters of a search; an HNSW must look at as many as are wanted."""
        if not self._index.type.startswith("HNSW"):
            return self._parameters
        looked_at = max(int(self._parameters.get("ef", 0)), count)
        return {**self._parameters, "ef": looked_at}
