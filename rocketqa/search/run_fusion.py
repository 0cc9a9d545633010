"""Fuses runs query by query, with weights that are given or chosen on training queries."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import float64

from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_positives
from rocketqa.files.run_order import contradiction_of, lines_by_rank
from rocketqa.files.runs import RunFile, open_scores, ranked, run_lines
from rocketqa.search.fusion import (
    SCORES,
    Scored,
    Weights,
    best_weights,
    fuse,
    pool_of,
    reciprocal_ranks,
    weight_grid,
)

MEASURED_DEPTH = 10  # MRR@10 chooses the weights
HAS_NO_SCORES = "a score among them"  # in the error of a run without scores
WITHOUT_SCORES = "(--method ranks needs no scores)"


class FusionSettings(NamedTuple):
    """How runs are fused. depth: passages of each run that are taken, and of the fused one."""

    method: str
    depth: int


class ChosenWeights(NamedTuple):
    """The weights that training queries chose by MRR@10, and all that were compared."""

    weights: Weights
    mrr: float
    queries: int
    compared: Sequence[tuple[Weights, float]]


class FusedRun:
    """A run that is fused. Its scores are looked at while it is read, a query at a time.

    Raises DataError on a run without scores where scores are fused.
    """

    def __init__(self, path: Path, settings: FusionSettings):
        self.settings = settings
        self.of_scores = settings.method == SCORES
        self.run = _open_with_scores(path) if self.of_scores else RunFile(path)
        self.several = 0  # queries with several passages
        self.equal = 0  # those of them whose passages have one score

    def ranking(self, query_id: str) -> list[Scored]:
        """Returns the first passages of a query; none where the run lacks it.

        Raises DataError where scores are fused and contradict the ranks.
        """
        if query_id not in self.run:
            return []
        lines = lines_by_rank(self.run, query_id)[: self.settings.depth]
        contradiction = contradiction_of(lines) if self.of_scores else None
        if contradiction is not None:
            raise DataError(f"{contradiction.text} {WITHOUT_SCORES}")
        found = [(scored.passage_id, scored.score) for _, scored in lines]
        if len(found) > 1:
            self.several += 1
            self.equal += found[0][1] == found[-1][1]
        return found

    def look_at_equal_scores(self) -> None:
        """Says how many queries have one score for all passages; refuses a run of such alone."""
        if not self.of_scores or not self.equal:
            return
        if self.equal == self.several:
            raise DataError(
                f"{self.run.path}: expected scores that differ, got equal ones for the passages of "
                f"each query {WITHOUT_SCORES}"
            )
        print(
            f"{self.run.path}: {self.equal} of {len(self.run)} queries have the same score for all "
            "their passages: each of these passages counts as the best one",
            file=sys.stderr,
        )


def open_runs(paths: Sequence[Path], settings: FusionSettings) -> list[FusedRun]:
    """Returns runs to fuse. Raises DataError where no query is in all of them."""
    runs = [FusedRun(path, settings) for path in paths]
    common = set(runs[0].run)
    for run in runs[1:]:
        common &= run.run.keys()
    if not common:
        names = ", ".join(str(path) for path in paths[1:])
        raise DataError(f"{names}: expected queries of {paths[0]}, got none that all runs have")
    return runs


def _open_with_scores(path: Path) -> RunFile:
    try:
        return open_scores(path)
    except DataError as error:
        if HAS_NO_SCORES not in str(error):
            raise
        raise DataError(f"{error} {WITHOUT_SCORES}") from error


def fused_lines(
    runs: Sequence[FusedRun], weights: Weights, settings: FusionSettings, run_format: str
) -> Iterator[str]:
    """Yields the lines of the fused run: the queries of the first run, then those of the others."""
    for query_id in dict.fromkeys(query_id for run in runs for query_id in run.run):
        fused = fuse(_rankings(runs, query_id), weights, settings.method)
        yield from run_lines(ranked(query_id, fused[: settings.depth]), run_format)
    for run in runs:
        run.look_at_equal_scores()


def choose_weights(paths: Sequence[Path], qrels: Path, settings: FusionSettings) -> ChosenWeights:
    """Returns the weights that `best_weights` chooses by the MRR@10 of runs of training queries.

    A labelled query that the runs lack counts 0, as in `evaluate`. Raises DataError where no query
    of the runs is labelled.
    """
    runs = open_runs(paths, settings)
    relevant = read_positives(qrels)
    if not any(query_id in run.run for run in runs for query_id in relevant):
        raise DataError(f"{qrels}: expected labels of the queries of {paths[0]}, got none")
    grid = weight_grid(len(runs))
    ranks = _reciprocal_ranks(runs, relevant, grid, settings.method)
    for run in runs:
        run.look_at_equal_scores()
    weights = best_weights(grid, ranks)
    compared = list(zip(grid, ranks.mean(axis=0).tolist()))
    return ChosenWeights(weights, dict(compared)[weights], len(relevant), compared)


def _reciprocal_ranks(
    runs: Sequence[FusedRun],
    relevant: Mapping[str, Sequence[str]],
    grid: Sequence[Weights],
    method: str,
) -> np.ndarray:
    """Returns the reciprocal rank of each labelled query with each weighting, float64 [N, G]."""
    weights = np.array(grid, float64)
    ranks = []
    for query_id, passage_ids in relevant.items():
        pool = pool_of(_rankings(runs, query_id), method)
        ranks.append(reciprocal_ranks(pool, weights, set(passage_ids), MEASURED_DEPTH))
    return np.stack(ranks)


def _rankings(runs: Sequence[FusedRun], query_id: str) -> list[list[Scored]]:
    """Returns the first passages of a query in each run."""
    return [run.ranking(query_id) for run in runs]
