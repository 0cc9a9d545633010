"""Runs: the passages that were retrieved for each query, in one of several formats.

    query_id, Q0, passage_id, rank (from 1), score, tag     trec
    query_id, passage_id, rank                              msmarco (MS MARCO)
    query_id, passage_id, rank, score                       released (the released code)

Runs are written with tabs, and read with tabs or any other blanks between the columns. A new format
is one more entry of RUN_FORMATS: the readers, the writers and the `--format` flag follow it.
The run of MS MARCO's training queries has half a billion lines, so a RunFile reads the passages of
one query at a time.
"""

import io
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.columns import Split, at_tabs_or_blanks
from rocketqa.files.rows import (
    IGNORE_FAULTS,
    RAISE_FAULTS,
    Check,
    Row,
    parse_integer,
    parse_rows,
    read_rows,
)

RUN_TAG = "rocketqa"


class RunFormat(NamedTuple):
    """One format of a run. The number of columns tells a reader which format a file has.

    columns: how many columns a line has; each format has another number. fields: takes query_id,
    passage_id, rank and, where the format has one, the score out of the columns. has_scores:
    whether it does. template: makes a line of a ScoredPassage; nine digits hold a float32 score
    exactly.
    """

    columns: int
    fields: Callable[[list[str]], tuple[str, ...]]
    has_scores: bool
    template: str


RUN_FORMATS = {
    "trec": RunFormat(
        columns=6,
        fields=itemgetter(0, 2, 3, 4),
        has_scores=True,
        template="{0.query_id}\tQ0\t{0.passage_id}\t{0.rank}\t{0.score:.9g}\t" + RUN_TAG,
    ),
    "msmarco": RunFormat(
        columns=3,
        fields=itemgetter(0, 1, 2),
        has_scores=False,
        template="{0.query_id}\t{0.passage_id}\t{0.rank}",
    ),
    "released": RunFormat(
        columns=4,
        fields=itemgetter(0, 1, 2, 3),
        has_scores=True,
        template="{0.query_id}\t{0.passage_id}\t{0.rank}\t{0.score:.9g}",
    ),
}
FORMAT_WITH_COLUMNS = {run_format.columns: run_format for run_format in RUN_FORMATS.values()}
RUN_COLUMNS = tuple(FORMAT_WITH_COLUMNS)
AT_BLANKS = at_tabs_or_blanks(RUN_COLUMNS)


class ScoredPassage(NamedTuple):
    """A line of a run."""

    query_id: str
    passage_id: str
    rank: int
    score: float


Ranking = list[ScoredPassage]  # the passages of one query, by rank
RunLine = tuple[Row, ScoredPassage]


class Segment(NamedTuple):
    """Lines of one query that follow one another in a run file."""

    first_line: int
    begin: int  # bytes before it in the file
    end: int  # bytes up to its end


def iterate_run(
    path: Path, check: Check = RAISE_FAULTS, split: Split = AT_BLANKS
) -> Iterator[RunLine]:
    """Yields (row, scored passage) of a run. The number of columns tells its format.

    The ranks are not checked. After a fault an unreadable rank is 0 and an unreadable score nan.
    """
    for row in read_rows(path, RUN_COLUMNS, check, split=split):
        yield row, _scored_passage(row)


def _scored_passage(row: Row) -> ScoredPassage:
    """Returns the scored passage of a row. In a format without scores, it becomes 1 / rank."""
    query_id, passage_id, rank_text, *scores = _format_of(row).fields(row.columns)
    row.checked_query_id(query_id)
    row.checked_passage_id(passage_id)
    rank = row.checked_integer(rank_text, "rank")
    if scores:
        score = row.checked_number(scores[0], "score")
    else:
        score = 1 / max(rank, 1)
    return ScoredPassage(query_id, passage_id, rank, score)


def _format_of(row: Row) -> RunFormat:
    """Returns the format of a row, by its number of columns."""
    return FORMAT_WITH_COLUMNS[len(row.columns)]


class RunFile(Mapping[str, Ranking]):
    """A run on disk: `run[query_id]` reads the passages of that query, by rank.

    The queries come in the order of the file. The lines of a query may stand anywhere; if they
    follow one another, a query takes some 300 bytes of memory. Opening the run reads it once and
    reports malformed lines, ranks below 1, gaps, and repeated ranks or passages.

    line_count: the number of lines. column_count: the number of columns of each line.
    """

    def __init__(self, path: Path, check: Check = RAISE_FAULTS):
        self.path = Path(path)
        self.line_count = 0
        self.column_count = 0
        self._segments: dict[str, list[Segment]] = {}
        suspect_ids = self._find_segments(check)
        self._file = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        for query_id in self._segments:
            if query_id in suspect_ids:
                _check_ranking(list(self.lines(query_id)), check)

    def _find_segments(self, check: Check) -> set[str]:
        """Reads the file and notes the segments of each query.

        Returns the ids of the queries whose ranks have to be checked over all their lines.
        """
        suspect_ids: set[str] = set()
        begin = 0
        for query_id, group in groupby(iterate_run(self.path, check), key=_query_id_of):
            rows, ranking = zip(*group)
            first = rows[0]
            last = rows[-1]
            segments = self._segments.setdefault(query_id, [])
            segments.append(Segment(first.number, begin, last.end))
            is_malformed = any(row.malformed for row in rows)
            if len(segments) > 1 or is_malformed or not _has_good_ranks(ranking):
                suspect_ids.add(query_id)
            begin = last.end
            self.line_count = last.number
            self.column_count = len(first.columns)
        return suspect_ids

    @property
    def has_scores(self) -> bool:
        """Whether the format of the run has scores."""
        return FORMAT_WITH_COLUMNS[self.column_count].has_scores

    def lines(self, query_id: str) -> Iterator[RunLine]:
        """Yields the lines of a query in file order. Their faults were reported before."""
        for first_line, begin, end in self._segments[query_id]:
            lines = io.BytesIO(os.pread(self._file, end - begin, begin))
            rows = parse_rows(
                lines,
                self.path,
                (self.column_count,),
                IGNORE_FAULTS,
                first_number=first_line,
                split=AT_BLANKS,
            )
            for row in rows:
                yield row, _scored_passage(row)

    def __getitem__(self, query_id: str) -> Ranking:
        ranking = [scored for _, scored in self.lines(query_id)]
        return sorted(ranking, key=attrgetter("rank"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._segments)

    def __len__(self) -> int:
        return len(self._segments)

    def scores(self, query_id: str) -> dict[tuple[str, str], float]:
        """Returns (query_id, passage_id) -> score of one query; empty where the run lacks it."""
        ranking = self.get(query_id, [])
        return {(query_id, scored.passage_id): scored.score for scored in ranking}


def _query_id_of(line: RunLine) -> str:
    """Returns the query of a line of a run."""
    return line[1].query_id


def open_scores(path: Path, check: Check = RAISE_FAULTS) -> RunFile:
    """Returns a run with scores. Raises DataError where its format has none."""
    with_scores = [str(form.columns) for form in RUN_FORMATS.values() if form.has_scores]
    for row in read_rows(path, RUN_COLUMNS, check, split=AT_BLANKS):
        if not _format_of(row).has_scores:
            expected = f"{' or '.join(with_scores)} columns, a score among them"
            row.report("columns", expected, str(len(row.columns)))
        break
    return RunFile(path, check)


def _has_good_ranks(ranking: Sequence[ScoredPassage]) -> bool:
    """Returns whether the ranks are 1, 2, ... in any order and no passage is repeated."""
    count = len(ranking)
    passage_ids = {scored.passage_id for scored in ranking}
    if len(passage_ids) < count:
        return False
    ranks = sorted(scored.rank for scored in ranking)
    return ranks == list(range(1, count + 1))


def _check_ranking(lines: Sequence[RunLine], check: Check) -> None:
    """Reports the repeated passages and the wrong ranks of one query.

    check: the Check with the fault handler; the rows come with one that ignores faults.
    """
    passages: set[tuple[str, str]] = set()
    row_of_rank: dict[int, Row] = {}
    every_rank_is_readable = True
    for row, scored in lines:
        row.check = check
        row.check_unique((scored.query_id, scored.passage_id), passages)
        if _has_readable_rank(row):
            _check_rank(row, scored, row_of_rank)
            row_of_rank.setdefault(scored.rank, row)
        else:
            every_rank_is_readable = False
    # An unreadable rank was reported before. It may be the one that is missing.
    if every_rank_is_readable:
        _check_gaps(lines[0][1].query_id, row_of_rank)


def _has_readable_rank(row: Row) -> bool:
    """Returns whether the rank of a row is an integer."""
    if row.malformed:
        return False
    rank_text = _format_of(row).fields(row.columns)[2]
    return parse_integer(rank_text) is not None


def _check_rank(row: Row, scored: ScoredPassage, row_of_rank: Mapping[int, Row]) -> None:
    """Reports a rank that an earlier row has, or that is below 1."""
    query_id = scored.query_id
    rank = scored.rank
    if rank in row_of_rank:
        row.report("ranks", f"each rank of query {query_id} once", f"{rank} again")
    elif rank < 1:
        row.report("ranks", f"ranks 1, 2, ... for query {query_id}", str(rank))


def _check_gaps(query_id: str, row_of_rank: Mapping[int, Row]) -> None:
    """Reports each rank that does not follow the one before it."""
    previous = 0
    for rank in sorted(row_of_rank):
        if rank < 1:
            continue
        if rank != previous + 1:
            expected = f"rank {previous + 1} of query {query_id} next"
            row_of_rank[rank].report("ranks", expected, str(rank))
        previous = rank


def ranked(query_id: str, scores: Iterable[tuple[str, float]]) -> Ranking:
    """Returns the passages by (score descending, passage_id ascending), with ranks from 1.

    This is the order of every run that is written here. scores: (passage_id, score).
    """
    ordered = sorted(scores, key=lambda pair: (-pair[1], pair[0]))
    return [
        ScoredPassage(query_id, passage_id, rank, score)
        for rank, (passage_id, score) in enumerate(ordered, 1)
    ]


def run_lines(ranking: Iterable[ScoredPassage], run_format: str = "trec") -> Iterator[str]:
    """Yields the lines of a run. run_format: one of RUN_FORMATS."""
    return map(RUN_FORMATS[run_format].template.format, ranking)
