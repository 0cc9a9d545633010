"""Evaluates a run by labels or by answers: means of its measures, and the queries they cover."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.judgements import (
    AnswerMatch,
    first_passages_with_answer,
    read_answers_in_mode,
    read_judgements,
    refuse_other_queries,
    relevant_passages,
)
from rocketqa.evaluation.measures import Rankings, Warn, is_graded, mean, per_query
from rocketqa.evaluation.rankings import (
    RankedRun,
    read_ranked_run,
    read_top_passages,
    without_identical_ids,
)
from rocketqa.evaluation.remarks import (
    Means,
    query_counts,
    warn_of_contradiction,
    warn_of_empty_answers,
    warn_of_identical_ids,
    warn_of_queries_without_relevant,
    warn_of_repeated_passages,
    warn_of_unjudged_queries,
    warn_of_unspaced_answers,
)
from rocketqa.evaluation.run_depth import deepest_rank, measures_of_answers, measures_of_labels
from rocketqa.files.answers import has_answer, has_answer_characters, has_pattern
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError

MATCHES: Mapping[str, AnswerMatch] = {  # how the answers are compared with a text
    "string": has_answer,
    "regex": has_pattern,
    "characters": has_answer_characters,
}
NOTHING = RankedRun({}, 0, None)  # of an empty file


class Evaluation(NamedTuple):
    """The means of the measures over the judged queries, and the numbers of queries."""

    means: Means
    counts: dict[str, int]  # queries judged, retrieved, and both

    def lines(self) -> list[str]:
        """Returns the lines of a measures file: measure, tab, value at full precision."""
        means = [f"{measure}\t{value!r}" for measure, value in self.means.items()]
        counts = [f"{name}\t{count}" for name, count in self.counts.items()]
        return means + counts


def evaluate_by_labels(
    run: Path,
    qrels: Path,
    measures: Sequence[str],
    mode: str,
    warn: Warn,
    order: str = "rank",
    relevance_level: int = 1,
    ignore_identical_ids: bool = False,
    allow_empty: bool = False,
) -> Evaluation:
    """Returns the measures of a run by labels, in strict or official mode.

    warn: gets each remark on the run, and on queries that are left out or count 0. order: "rank"
    or "score". relevance_level: from which relevance on a passage is relevant.
    ignore_identical_ids: leave out the passages that have the id of their query. allow_empty: a run
    without a judged query has 0 in all measures. Otherwise it raises DataError, and so does a line
    of a file that the mode refuses.
    """
    found_nothing = allow_empty and _is_empty(run)
    ranked_run = NOTHING if found_nothing else read_ranked_run(run, mode, order, warn)
    judgements = read_judgements(qrels, mode)
    relevant = relevant_passages(judgements, relevance_level)
    gains = {query_id: judgements[query_id] for query_id in relevant}
    if allow_empty and relevant.keys().isdisjoint(ranked_run.rankings):
        return _without_judged_query(run, ranked_run, relevant, measures, warn)
    refuse_other_queries(run, ranked_run.rankings, qrels, relevant)
    warn_of_unjudged_queries(run, qrels, ranked_run.rankings, judgements, warn)
    warn_of_queries_without_relevant(qrels, judgements, relevant, relevance_level, warn)
    if mode == "official":
        warn_of_repeated_passages(run, ranked_run.rankings, warn)
    measured = measures_of_labels(run, ranked_run.depth, measures, mode, warn)

    def means_of(ranked: RankedRun) -> Means:
        rankings = ranked.rankings
        if ignore_identical_ids:
            rankings = without_identical_ids(rankings)
        means = {}
        for measure in measured:
            judged = gains if is_graded(measure) else relevant
            means[measure] = mean(per_query(rankings, judged, measure))
        return means

    if ignore_identical_ids:
        warn_of_identical_ids(run, ranked_run.rankings, warn)
    means = means_of(ranked_run)
    if ranked_run.contradiction:
        by_score = means_of(read_ranked_run(run, mode, "score", warn))
        warn_of_contradiction(ranked_run.contradiction, means, by_score, warn)
    return Evaluation(means, query_counts(run, ranked_run.rankings, relevant, warn))


def evaluate_by_answers(
    run: Path,
    answers: Path,
    collection: Path,
    measures: Sequence[str],
    mode: str,
    warn: Warn,
    match: str = "string",
    with_titles: bool = False,
    order: str = "rank",
    allow_empty: bool = False,
) -> Evaluation:
    """Returns the accuracies of a run: whether its passages hold an answer.

    match: one of MATCHES. with_titles: the titles are searched too. allow_empty: as in
    `evaluate_by_labels`. In released mode the mean is over the queries of the run. Raises DataError
    as `evaluate_by_labels`, and if the collection lacks a passage.
    """
    answers_of = read_answers_in_mode(answers, mode)
    if match != "regex":
        warn_of_empty_answers(answers, answers_of, warn)
    if match == "string":
        warn_of_unspaced_answers(answers, answers_of, warn)
    passages = CollectionFile(collection)
    depth = deepest_rank(measures)
    found_nothing = allow_empty and _is_empty(run)
    ranked_run = NOTHING if found_nothing else read_top_passages(run, depth, mode, order, warn)
    if allow_empty and answers_of.keys().isdisjoint(ranked_run.rankings):
        return _without_judged_query(run, ranked_run, answers_of, measures, warn)
    refuse_other_queries(run, ranked_run.rankings, answers, answers_of)
    _check_passages(run, ranked_run.rankings, answers_of, passages)
    if mode == "released":
        answers_of = _of_retrieved_queries(answers_of, ranked_run.rankings)
    warn_of_unjudged_queries(run, answers, ranked_run.rankings, answers_of, warn)
    if mode == "official":
        warn_of_repeated_passages(run, ranked_run.rankings, warn)
    measured = measures_of_answers(run, ranked_run, answers_of, measures, mode, warn)

    def means_of(ranked: RankedRun) -> Means:
        rankings = ranked.rankings
        hits = first_passages_with_answer(
            rankings, answers_of, passages, MATCHES[match], with_titles
        )
        return {measure: mean(per_query(rankings, hits, measure)) for measure in measured}

    means = means_of(ranked_run)
    if ranked_run.contradiction:
        by_score = read_top_passages(run, depth, mode, "score", warn)
        _check_passages(run, by_score.rankings, answers_of, passages)
        warn_of_contradiction(ranked_run.contradiction, means, means_of(by_score), warn)
    return Evaluation(means, query_counts(run, ranked_run.rankings, answers_of, warn))


def _of_retrieved_queries(
    answers_of: dict[str, tuple[str, ...]], rankings: Rankings
) -> dict[str, tuple[str, ...]]:
    """Returns the answers of the queries of the run."""
    kept = {}
    for query_id, answers in answers_of.items():
        if query_id in rankings:
            kept[query_id] = answers
    return kept


def _is_empty(run: Path) -> bool:
    """Returns whether the run is a file without a line."""
    return run.is_file() and not run.stat().st_size


def _without_judged_query(
    run: Path,
    ranked_run: RankedRun,
    judged: Collection[str],
    measures: Sequence[str],
    warn: Warn,
) -> Evaluation:
    """Returns the evaluation of a run that has no judged query: all measures are 0."""
    counts = query_counts(run, ranked_run.rankings, judged, warn)
    return Evaluation(dict.fromkeys(measures, 0.0), counts)


def _check_passages(
    run: Path, rankings: Rankings, answers_of: Iterable[str], passages: CollectionFile
) -> None:
    """Raises DataError if the collection lacks a retrieved passage of a query with answers."""
    retrieved: set[str] = set()
    for query_id in answers_of:
        retrieved.update(rankings.get(query_id, []))
    unknown = [passage_id for passage_id in retrieved if passage_id not in passages]
    if unknown:
        raise DataError(f"{run}: expected passages of the collection, got {min(unknown)!r}")
