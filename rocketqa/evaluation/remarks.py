"""Remarks of an evaluation: what to know about a run and its labels beside the measures."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rocketqa.evaluation.measures import Judgements, Rankings, Warn
from rocketqa.evaluation.rankings import repeated_passages
from rocketqa.files.answers import tokens
from rocketqa.files.run_order import Contradiction
from rocketqa.files.unspaced_text import is_unspaced

SHOWN_IDS = 3  # ids that a remark names

Means = dict[str, float]  # measure -> mean over the judged queries


def query_counts(
    run: Path, rankings: Rankings, judged: Collection[str], warn: Warn
) -> dict[str, int]:
    """Returns how many queries are judged, retrieved, and both; says where these differ."""
    counts = {
        "queries_judged": len(judged),
        "queries_retrieved": len(rankings),
        "queries_evaluated": sum(query_id in rankings for query_id in judged),
    }
    if len(set(counts.values())) > 1:
        warn(f"{run}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
        missing = [query_id for query_id in judged if query_id not in rankings]
        if missing:
            warn(
                f"{run}: {len(missing)} judged queries are not in the run and count 0: "
                f"{_first_ids(missing)}"
            )
    return counts


def warn_of_contradiction(
    contradiction: Contradiction, by_rank: Means, by_score: Means, warn: Warn
) -> None:
    """Names the first line whose score rises with its rank, and the measures of both orders."""
    parts = []
    for measure, value in by_rank.items():
        if value != by_score[measure]:
            parts.append(f"{measure} {value!r} by rank and {by_score[measure]!r} by score")
    differences = ", ".join(parts) or "all measures are equal in both orders"
    warn(f"{contradiction.text}; {differences} (--order score measures by score)")


def warn_of_identical_ids(run: Path, rankings: Rankings, warn: Warn) -> None:
    """Says how many passages are left out because they have the id of their query."""
    count = sum(query_id in ranking for query_id, ranking in rankings.items())
    warn(f"{run}: {count} queries find the passage of their own id, which is left out")


def warn_of_queries_without_relevant(
    qrels: Path, judgements: Judgements, relevant: Judgements, level: int, warn: Warn
) -> None:
    """Names the queries of the labels that are left out because no passage is relevant."""
    without = [query_id for query_id in judgements if query_id not in relevant]
    if without:
        warn(
            f"{qrels}: {len(without)} queries have no passage of relevance {level} or more and "
            f"are left out: {_first_ids(without)}"
        )


def warn_of_empty_answers(
    answers: Path, answers_of: Mapping[str, Iterable[str]], warn: Warn
) -> None:
    """Says how many answers match every passage."""
    empty = 0
    for answers_of_query in answers_of.values():
        empty += sum(not tokens(answer) for answer in answers_of_query)
    if empty:
        warn(f"{answers}: {empty} answers have no token and are found in every passage")


def warn_of_unjudged_queries(
    run: Path, judged_by: Path, rankings: Rankings, judged: Collection[str], warn: Warn
) -> None:
    """Names the queries of the run that nobody judged."""
    unjudged = [query_id for query_id in rankings if query_id not in judged]
    if 0 < len(unjudged) < len(rankings):
        warn(
            f"{run}: {len(unjudged)} queries are not in {judged_by} and are left out: "
            f"{_first_ids(unjudged)}"
        )


def warn_of_repeated_passages(run: Path, rankings: Rankings, warn: Warn) -> None:
    """Says how many passages a run, which is measured all the same, has more than once."""
    repeated = repeated_passages(rankings)
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


def warn_of_unspaced_answers(
    answers: Path, answers_of: Mapping[str, tuple[str, ...]], warn: Warn
) -> None:
    """Says how many answers are in a script without blanks, where words are compared."""
    unspaced = 0
    for answers_of_query in answers_of.values():
        unspaced += sum(map(is_unspaced, answers_of_query))
    if unspaced:
        warn(
            f"{answers}: {unspaced} answers are in a script without blanks, such as Chinese, and "
            "DPR's match compares words between blanks; --match characters (in a flight: "
            "EVALUATE_BY=answers-by-characters) compares characters"
        )
