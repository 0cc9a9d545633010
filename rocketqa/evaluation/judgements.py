"""Reads which passages are relevant, by labels or by answers, in one of three modes.

strict      A passage is relevant from a relevance of 1 on, or another level, or if it holds an
            answer.
official    The files are read as the official scripts read them. By MS MARCO's script every judged
            passage is relevant, because the relevance is not read. DPR's script finds an answer
            without tokens in every passage.
released    Answers only: as the released code's `nq_eval.py`. Dots are stripped from the ends of
            answers, and the mean is over the queries of the run.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from rocketqa.evaluation.measures import Judgements, Rankings
from rocketqa.evaluation.rankings import OFFICIAL_IGNORES, check_in_mode, ignoring
from rocketqa.files.answers import has_answer
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, iterate_qrels_at_tabs, read_answers, read_qrels

AnswerMatch = Callable[[str, Iterable[str]], bool]  # text, answers -> whether it holds one
Answers = Mapping[str, tuple[str, ...]]  # query_id -> its answers

# The relevance is the only number of a judgement, and the official script does not read it.
OFFICIAL_QRELS = ignoring(*OFFICIAL_IGNORES, "numbers")


def read_judgements(path: Path, mode: str) -> Judgements:
    """Returns the relevance of every passage of a file of labels; 1 in official mode."""
    judgements: Judgements = {}
    if mode == "strict":
        for qrel in read_qrels(path):
            judgements.setdefault(qrel.query_id, {})[qrel.passage_id] = qrel.relevance
        return judgements
    for _, qrel in iterate_qrels_at_tabs(path, OFFICIAL_QRELS):
        judgements.setdefault(qrel.query_id, {})[qrel.passage_id] = 1
    return judgements


def relevant_passages(judgements: Judgements, level: int = 1) -> Judgements:
    """Returns the passages whose relevance is `level` or more, of the queries that have one."""
    relevant: Judgements = {}
    for query_id, judged in judgements.items():
        kept = {}
        for passage_id, relevance in judged.items():
            if relevance >= level:
                kept[passage_id] = relevance
        if kept:
            relevant[query_id] = kept
    return relevant


def read_answers_in_mode(path: Path, mode: str) -> dict[str, tuple[str, ...]]:
    """Returns query_id -> answers, as the mode compares them with texts."""
    answers = read_answers(path, check_in_mode(mode))
    if mode != "released":
        return answers
    stripped: dict[str, tuple[str, ...]] = {}
    for query_id, answers_of_query in answers.items():
        stripped[query_id] = tuple(answer.strip(".") for answer in answers_of_query)
    return stripped


def first_passages_with_answer(
    rankings: Rankings,
    answers: Answers,
    collection: Mapping[str, Passage],
    match: AnswerMatch = has_answer,
    with_titles: bool = False,
) -> Judgements:
    """Returns the first retrieved passage with an answer, if any, of every query with answers.

    match: which texts hold an answer. with_titles: search `title . text` instead of the text alone
    (DPR's option). Raises KeyError if the collection lacks a retrieved passage.
    """
    hits: Judgements = {}
    for query_id, answers_of_query in answers.items():
        hits[query_id] = {}
        for passage_id in rankings.get(query_id, []):
            _, title, text = collection[passage_id]
            searched = f"{title} . {text}" if with_titles else text
            if match(searched, answers_of_query):
                hits[query_id] = {passage_id: 1}
                break
    return hits


def refuse_other_queries(
    run: Path, retrieved: Collection[str], judged_by: Path, judged: Collection[str]
) -> None:
    """Raises DataError where no query of a run is judged.

    retrieved: the query ids of the run. judged: those of the labels or answers in `judged_by`.
    """
    if not judged:
        raise DataError(f"{judged_by}: expected a query with a relevant passage, got none")
    if not any(query_id in judged for query_id in retrieved):
        first_judged, first_retrieved = next(iter(judged)), next(iter(retrieved), None)
        raise DataError(
            f"{run}: expected queries of {judged_by}, such as {first_judged!r}, got none of them, "
            f"but others, such as {first_retrieved!r}: give both of the same queries"
        )
