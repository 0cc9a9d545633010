"""The search that a run is made with: exact, or with an index that is made now or was kept."""

from pathlib import Path
from typing import NamedTuple

from rocketqa.search.approximate_search import ApproximateSearch, overlap
from rocketqa.search.batch_retrieval import first_segment
from rocketqa.search.candidates import CandidateSearch, Search
from rocketqa.search.exact_search import ExactSearch
from rocketqa.search.index_record import IndexRecord
from rocketqa.search.kept_index import KeptIndex
from rocketqa.search.milvus_record import Parameters, overlap_of
from rocketqa.search.milvus_search import MilvusCandidates, OpenCollection
from rocketqa.search.vectors import VectorStore


class RunSettings(NamedTuple):
    """How a run is searched.

    source: a kept index, or the factory string of one that is made now; None: exact search.
    parameters: of the index, such as nprobe=32; empty: its own. max_memory: bytes of passage
    vectors in memory at a time. depth: passages a query.
    """

    source: Path | str | None
    parameters: str
    max_memory: int
    depth: int


def search_in_milvus(
    opened: OpenCollection,
    parameters: Parameters,
    settings: RunSettings,
    queries: VectorStore,
    passages: VectorStore,
) -> tuple[Search, IndexRecord]:
    """Returns the search in a collection of Milvus, and its overlap with exact search.

    parameters: instead of those that it was loaded with, and the overlap is measured again; empty:
    those.
    """
    collection, record = opened
    engine = MilvusCandidates(collection, record.made_with, passages, parameters)
    search = CandidateSearch(passages, engine)
    if not parameters:
        return search, overlap_of(record)
    return search, _measured(search, settings, queries)


def search_of_run(
    settings: RunSettings,
    record: IndexRecord | None,
    queries: VectorStore,
    passages: VectorStore,
) -> tuple[Search, IndexRecord | None]:
    """Returns the search that is asked for, and its overlap with exact search; None: it is exact.

    record: of the index that is kept. Its overlap is measured again only where it searches with
    other parameters than it was made with.
    """
    if settings.source is None:
        return ExactSearch(passages, settings.max_memory), None
    search: Search
    if isinstance(settings.source, Path):
        kept = KeptIndex(settings.source, passages, settings.parameters)
        search = CandidateSearch(passages, kept)
        if not settings.parameters:
            return search, record
    else:
        search = ApproximateSearch(
            passages, settings.source, settings.parameters, settings.max_memory
        )
    return search, _measured(search, settings, queries)


def _measured(search: Search, settings: RunSettings, queries: VectorStore) -> IndexRecord:
    """Returns the overlap of a search with exact search, at the depth of the run."""
    exact = ExactSearch(search.passages, settings.max_memory)
    share = overlap(search, exact, first_segment(queries), settings.depth)
    return IndexRecord(share, settings.depth)
