"""Runs: what was retrieved for each query, in TREC's, MS MARCO's or the released code's form.

    query_id, Q0, passage_id, rank (from 1), score, tag     TREC
    query_id, passage_id, rank                              MS MARCO
    query_id, passage_id, rank, score                       released code

MS MARCO's training queries have a run of half a billion lines, so a RunFile holds one query at a time.
"""

import io
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.rows import FIRST_FAULT, Check, Row, read_rows, rows_of

RUN_TAG = "rocketqa"
RUN_FORMATS = {  # Nine digits hold a float32 score exactly.
    "trec": "{0.query_id}\tQ0\t{0.passage_id}\t{0.rank}\t{0.score:.9g}\t" + RUN_TAG,
    "msmarco": "{0.query_id}\t{0.passage_id}\t{0.rank}",
    "released": "{0.query_id}\t{0.passage_id}\t{0.rank}\t{0.score:.9g}",
}
WIDTHS = (6, 3, 4)
HEARD = Check(report=lambda fault: None)  # of lines that were read before


class ScoredPassage(NamedTuple):
    query_id: str
    passage_id: str
    rank: int
    score: float


Ranking = list[ScoredPassage]  # of one query, by rank


def iterate_run(path: Path, check: Check = FIRST_FAULT) -> Iterator[tuple[Row, ScoredPassage]]:
    """Yields (row, scored passage) of a run, its form told by the column count. The ranks are as they stand."""
    return ((row, _scored_passage(row)) for row in read_rows(path, WIDTHS, check))


def _scored_passage(row: Row) -> ScoredPassage:
    """Returns what a row says. MS MARCO's holds no score: it becomes 1 / rank."""
    columns = row.columns[:1] + row.columns[2:5] if len(row.columns) == 6 else row.columns
    query_id, passage_id = row.query_id(columns[0]), row.passage_id(columns[1])
    rank = row.whole(columns[2], "rank")
    score = row.real(columns[3], "score") if len(columns) == 4 else 1 / max(rank or 1, 1)
    return ScoredPassage(query_id, passage_id, rank, score)


class RunFile(Mapping[str, Ranking]):
    """A run on disk: `run[query_id]` reads that query's passages, by rank; queries come in the order of the file.

    Opening it reads it once and reports what is wrong: a malformed line, a rank below 1, a gap, a repeated rank or
    passage. A query's lines may stand anywhere; where they stand together, memory is some 300 bytes a query.

    lines: how many there are. columns: of each line.
    """

    def __init__(self, path: Path, check: Check = FIRST_FAULT):
        self.path, self.lines, self.columns = Path(path), 0, 0
        self._pieces: dict[
            str, list[tuple[int, int, int]]
        ] = {}  # query_id -> (first line, begin, end) in the file
        doubtful, begin = set(), 0
        for query_id, group in groupby(iterate_run(path, check), lambda pair: pair[1].query_id):
            rows, ranking = zip(*group)
            pieces = self._pieces.setdefault(query_id, [])
            pieces.append((rows[0].number, begin, rows[-1].end))
            if len(pieces) > 1 or any(row.silent for row in rows) or not _is_sound(ranking):
                doubtful.add(query_id)
            self.lines, begin, self.columns = rows[-1].number, rows[-1].end, len(rows[0].columns)
        self._file = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        for query_id in filter(doubtful.__contains__, self._pieces):
            _check_ranking(list(self._read(query_id)), check)

    def _read(self, query_id: str) -> Iterator[tuple[Row, ScoredPassage]]:
        for first, begin, end in self._pieces[query_id]:
            piece = io.BytesIO(os.pread(self._file, end - begin, begin))
            for row in rows_of(piece, self.path, (self.columns,), HEARD, first=first):
                yield row, _scored_passage(row)

    def __getitem__(self, query_id: str) -> Ranking:
        return sorted((scored for _, scored in self._read(query_id)), key=attrgetter("rank"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def scores(self, query_id: str) -> dict[tuple[str, str], float]:
        """Returns (query_id, passage_id) -> score of one query, empty where the run lacks it."""
        return {scored[:2]: scored.score for scored in self.get(query_id, ())}


def open_scores(path: Path) -> RunFile:
    """Returns a run whose scores count. Raises DataError on MS MARCO's form, which has none."""
    for row in read_rows(path, WIDTHS):
        if len(row.columns) == 3:
            row.fault("columns", "6 or 4 columns, a score among them", "3")
        break
    return RunFile(path)


def _is_sound(ranking: Iterable[ScoredPassage]) -> bool:
    passages, ranks = (
        {scored.passage_id for scored in ranking},
        sorted(scored.rank or 0 for scored in ranking),
    )
    return len(passages) == len(ranks) and ranks == list(range(1, len(ranks) + 1))


def _check_ranking(lines: list[tuple[Row, ScoredPassage]], check: Check) -> None:
    """Reports the repeated passages and the wrong ranks of one query."""
    passages: set[tuple[str, str]] = set()
    ranks: dict[int | None, Row] = {}
    for row, (query_id, passage_id, rank, _) in lines:
        row.check, rank = check, None if row.silent else rank
        row.once((query_id, passage_id), passages)
        if rank in ranks:
            row.fault("ranks", f"each rank of query {query_id} once", f"{rank} again")
        elif rank is not None and rank < 1:
            row.fault("ranks", f"ranks 1, 2, ... for query {query_id}", str(rank))
        ranks.setdefault(rank, row)
    if None not in ranks:  # an unreadable rank, named already, may fill the gap
        before = 0
        for rank in sorted(rank for rank in ranks if rank >= 1):
            if rank != before + 1:
                ranks[rank].fault("ranks", f"rank {before + 1} of query {query_id} next", str(rank))
            before = rank


def ranked(query_id: str, scores: Iterable[tuple[str, float]]) -> Ranking:
    """Returns the passages by (score descending, passage id ascending), ranks from 1: our one order everywhere."""
    ordered = sorted(scores, key=lambda pair: (-pair[1], pair[0]))
    return [
        ScoredPassage(query_id, passage_id, rank, score)
        for rank, (passage_id, score) in enumerate(ordered, 1)
    ]


def run_lines(ranking: Iterable[ScoredPassage], form: str = "trec") -> Iterator[str]:
    """Yields the lines of a run in one of RUN_FORMATS."""
    return map(RUN_FORMATS[form].format, ranking)
