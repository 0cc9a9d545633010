"""Evaluates a run by labels or by answers: means of its measures, and the queries they cover."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.evaluation.judgements import (
    AnswerMatch,
    first_passages_with_answer,
    read_answers_in_mode,
    read_judgements,
    read_rankings,
    read_top_passages,
    refuse_other_queries,
    repeated_passages,
)
from rocketqa.evaluation.measures import Judgements, Rankings, mean, parse_measure, per_query
from rocketqa.files.answers import has_answer, has_answer_characters, has_pattern, tokens
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.unspaced_text import is_unspaced

MATCHES: Mapping[str, AnswerMatch] = {  # how the answers are compared with a text
    "string": has_answer,
    "regex": has_pattern,
    "characters": has_answer_characters,
}
Warn = Callable[[str], None]
SHOWN_IDS = 3  # ids that a warning names


class Evaluation(NamedTuple):
    """The means of the measures over the judged queries, and the numbers of queries."""

    means: dict[str, float]  # measure -> mean
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
    allow_empty: bool = False,
) -> Evaluation:
    """Returns the measures of a run by labels, in strict or official mode.

    warn: gets each remark on queries that are left out or count 0. allow_empty: whether the run may
    be without a judged query, so that all measures are 0. Raises DataError if it may not, and where
    the mode refuses a line of a file.
    """
    rankings = {} if allow_empty and _is_empty(run) else read_rankings(run, mode)
    judgements = read_judgements(qrels, mode)
    with_positives = {query_id: relevant for query_id, relevant in judgements.items() if relevant}
    if not allow_empty:
        refuse_other_queries(run, rankings, qrels, with_positives)
    _warn_of_queries_and_passages(run, qrels, rankings, judgements, mode, warn)
    return _evaluation(run, rankings, with_positives, measures, warn)


def evaluate_by_answers(
    run: Path,
    answers: Path,
    collection: Path,
    measures: Sequence[str],
    mode: str,
    warn: Warn,
    match: str = "string",
    with_titles: bool = False,
    allow_empty: bool = False,
) -> Evaluation:
    """Returns the accuracies of a run: whether its passages hold an answer.

    match: one of MATCHES. with_titles: the titles are searched too. allow_empty: as in
    `evaluate_by_labels`. In released mode the mean is over the queries of the run. Raises DataError
    as `evaluate_by_labels`, and if the collection lacks a passage.
    """
    answers_of = read_answers_in_mode(answers, mode)
    if match != "regex":
        _warn_of_empty_answers(answers, answers_of, warn)
    if match == "string":
        _warn_of_unspaced_answers(answers, answers_of, warn)
    depth = max(parse_measure(measure)[1] for measure in measures)
    passages = CollectionFile(collection)
    rankings = {} if allow_empty and _is_empty(run) else read_top_passages(run, depth, mode)
    if not allow_empty:
        refuse_other_queries(run, rankings, answers, answers_of)
    _check_passages(run, rankings, answers_of, passages)
    hits = first_passages_with_answer(rankings, answers_of, passages, MATCHES[match], with_titles)
    if mode == "released":
        hits = {query_id: relevant for query_id, relevant in hits.items() if query_id in rankings}
    _warn_of_queries_and_passages(run, answers, rankings, hits, mode, warn)
    if mode == "official":
        measures = _measures_within_first_list(run, rankings, hits, measures, warn)
    return _evaluation(run, rankings, hits, measures, warn)


def _is_empty(run: Path) -> bool:
    """Returns whether the run is a file without a line."""
    return run.is_file() and not run.stat().st_size


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


def _evaluation(
    run: Path, rankings: Rankings, judgements: Judgements, measures: Sequence[str], warn: Warn
) -> Evaluation:
    means = {measure: _mean(rankings, judgements, measure) for measure in measures}
    counts = {
        "queries_judged": len(judgements),
        "queries_retrieved": len(rankings),
        "queries_evaluated": len(judgements.keys() & rankings.keys()),
    }
    if len(set(counts.values())) > 1:
        warn(f"{run}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
        missing = [query_id for query_id in judgements if query_id not in rankings]
        if missing:
            warn(
                f"{run}: {len(missing)} judged queries are not in the run and count 0: "
                f"{_first_ids(missing)}"
            )
    return Evaluation(means, counts)


def _mean(rankings: Rankings, judgements: Judgements, measure: str) -> float:
    """Returns the mean over the judged queries; 0 for a run that has none of them."""
    if judgements.keys().isdisjoint(rankings):
        return 0.0
    return mean(per_query(rankings, judgements, measure))


def _measures_within_first_list(
    run: Path,
    rankings: Rankings,
    judgements: Judgements,
    measures: Sequence[str],
    warn: Warn,
) -> list[str]:
    """Returns the measures whose k is not above the length of the first query's list.

    DPR's script prints no accuracy beyond that length.
    """
    lengths = [len(rankings[query_id]) for query_id in judgements if query_id in rankings]
    first_length = lengths[0] if lengths else 0
    if first_length == 0:
        return list(measures)
    beyond = [measure for measure in measures if parse_measure(measure)[1] > first_length]
    if beyond:
        warn(f"{run}: no {', '.join(beyond)}: the first query has {first_length} passages")
    return [measure for measure in measures if measure not in beyond]


def _warn_of_empty_answers(
    answers: Path, answers_of: dict[str, tuple[str, ...]], warn: Warn
) -> None:
    empty = 0
    for answers_of_query in answers_of.values():
        empty += sum(not tokens(answer) for answer in answers_of_query)
    if empty:
        warn(f"{answers}: {empty} answers have no token and are found in every passage")


def _warn_of_unspaced_answers(
    answers: Path, answers_of: dict[str, tuple[str, ...]], warn: Warn
) -> None:
    unspaced = 0
    for answers_of_query in answers_of.values():
        unspaced += sum(map(is_unspaced, answers_of_query))
    if unspaced:
        warn(
            f"{answers}: {unspaced} answers are in a script without blanks, such as Chinese, and "
            "DPR's match compares words between blanks; --match characters (in a flight: "
            "EVALUATE_BY=answers-by-characters) compares characters"
        )


def _warn_of_queries_and_passages(
    run: Path,
    judged_by: Path,
    rankings: Rankings,
    judgements: Judgements,
    mode: str,
    warn: Warn,
) -> None:
    unjudged = [query_id for query_id in rankings if query_id not in judgements]
    if 0 < len(unjudged) < len(rankings):
        warn(
            f"{run}: {len(unjudged)} queries are not in {judged_by} and are left out: "
            f"{_first_ids(unjudged)}"
        )
    repeated = repeated_passages(rankings) if mode == "official" else []
    if repeated:
        query_id, passage_id = repeated[0]
        warn(
            f"{run}: {len(repeated)} passages occur more than once for a query; "
            f"the first: query {query_id}, passage {passage_id}"
        )


def _first_ids(ids: list[str]) -> str:
    """Returns the first ids and dots where there are more."""
    shown = ", ".join(ids[:SHOWN_IDS])
    return f"{shown}, ..." if len(ids) > SHOWN_IDS else shown
