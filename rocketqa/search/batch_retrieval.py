"""Writes the run of many queries, in segments of queries that survive a kill."""

from collections.abc import Iterator
from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from rocketqa.files.runs import ranked, run_lines
from rocketqa.jobs.pieces import is_whole, join_pieces, write_piece
from rocketqa.jobs.progress import bar
from rocketqa.search.candidates import Search
from rocketqa.search.vectors import VectorStore

SEGMENT_QUERIES = 16384  # queries in one search; a kill loses the work on one segment at most


def first_segment(queries: VectorStore) -> ndarray:
    """Returns the vectors of the first segment of queries, float32 [Q, H]."""
    end = min(SEGMENT_QUERIES, len(queries))
    return queries.read(0, end)


def retrieve_run(
    queries: VectorStore,
    search: Search,
    depth: int,
    run_format: str,
    part: Path,
    run_name: str,
) -> int:
    """Writes the run of all queries to `part / run_name` and returns its number of lines.

    part: the folder of the job's unfinished work, where each finished segment has a file. Segments
    that an earlier process has finished are not searched again, unless their files are damaged.
    """
    passage_count = len(search.passages)
    begins = range(0, len(queries), SEGMENT_QUERIES)
    segments = [part / f"segment-{number:06}" for number in range(len(begins))]
    total = len(begins) * passage_count
    with bar(total=total, unit="passage", unit_scale=True, desc="retrieve") as progress:
        for begin, segment in zip(begins, segments):
            if is_whole(segment):
                progress.update(passage_count)
            else:
                lines = _segment_lines(
                    queries,
                    begin,
                    search,
                    depth,
                    run_format,
                    progress,
                )
                write_piece(segment, lines)
    return join_pieces(segments, part / run_name)


def _segment_lines(
    queries: VectorStore,
    begin: int,
    search: Search,
    depth: int,
    run_format: str,
    progress: tqdm,
) -> Iterator[str]:
    """Yields the run's lines for the segment of queries that begins at a row."""
    end = min(begin + SEGMENT_QUERIES, len(queries))
    vectors = queries.read(begin, end)
    rankings = search.search(vectors, depth, progress)
    for row, scores in zip(range(begin, end), rankings):
        ranking = ranked(queries.ids[row], scores)
        yield from run_lines(ranking, run_format)
