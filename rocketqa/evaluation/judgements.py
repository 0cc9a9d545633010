"""Reads rankings and relevant passages, in one of three modes.

strict      A run has ranks 1, 2, ... and each passage once for a query. A passage is relevant if
            its relevance is 1 or more, or if it holds an answer.
official    The files are read as the official scripts read them. MS MARCO's script gives a query
            1,000 slots: an empty slot holds passage "0", the last of two lines with one rank wins,
            rank 0 is slot 1,000, rank -1 is slot 999, and every judged passage is relevant, because
            the relevance is not read. DPR's script finds an answer without tokens in every passage.
released    Answers only: as the released code's `nq_eval.py`. Dots are stripped from the ends of
            answers, and the mean is over the queries of the run.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from rocketqa.evaluation.measures import Judgements, Rankings
from rocketqa.files.answers import has_answer
from rocketqa.files.errors import DataError, Fault, raise_fault
from rocketqa.files.formats import Passage, iterate_qrels, read_answers, read_qrels
from rocketqa.files.rows import RAISE_FAULTS, Check
from rocketqa.files.runs import RunFile, iterate_run

AnswerMatch = Callable[[str, Iterable[str]], bool]  # text, answers -> whether it holds one
Answers = Mapping[str, tuple[str, ...]]  # query_id -> its answers

OFFICIAL_SLOTS = 1000
EMPTY_SLOT = "0"
OFFICIAL_IGNORES = (  # the kinds of faults that the official scripts do not notice
    "ranks",
    "duplicate ids",
    "empty text",
    "non-finite scores",
    "final newline",
    "carriage returns",
)


def _ignoring(*kinds: str) -> Check:
    """Returns a check that raises all faults but those of the given kinds."""

    def on_fault(fault: Fault) -> None:
        if fault.kind not in kinds:
            raise_fault(fault)

    return Check(on_fault=on_fault)


OFFICIAL = _ignoring(*OFFICIAL_IGNORES)
# The relevance is the only number of a judgement, and the official script does not read it.
OFFICIAL_QRELS = _ignoring(*OFFICIAL_IGNORES, "numbers")


def check_in_mode(mode: str) -> Check:
    """Returns the check for the rows of runs and answers: official and released mode share one."""
    return RAISE_FAULTS if mode == "strict" else OFFICIAL


def read_rankings(path: Path, mode: str) -> Rankings:
    """Returns the passage ids of each query by rank; in official mode 1,000 slots."""
    if mode == "strict":
        return _top_passages(RunFile(path), None)
    rankings: Rankings = {}
    for row, scored in iterate_run(path, OFFICIAL):
        if not -OFFICIAL_SLOTS < scored.rank <= OFFICIAL_SLOTS:
            raise Fault("ranks", row.place, f"a rank up to {OFFICIAL_SLOTS}", str(scored.rank))
        slots = rankings.setdefault(scored.query_id, [EMPTY_SLOT] * OFFICIAL_SLOTS)
        slots[scored.rank - 1] = scored.passage_id
    return rankings


def read_top_passages(path: Path, depth: int, mode: str) -> Rankings:
    """Returns the ids of the top `depth` passages of each query by rank."""
    return _top_passages(RunFile(path, check_in_mode(mode)), depth)


def _top_passages(run: RunFile, depth: int | None) -> Rankings:
    rankings: Rankings = {}
    for query_id, ranking in run.items():
        rankings[query_id] = [scored.passage_id for scored in ranking[:depth]]
    return rankings


def read_judgements(path: Path, mode: str) -> Judgements:
    """Returns the relevant passages of every query of a file of labels.

    The list of a query is empty if all its judged passages are irrelevant.
    """
    if mode == "strict":
        qrels = read_qrels(path)
    else:
        qrels = [qrel for _, qrel in iterate_qrels(path, OFFICIAL_QRELS)]
    judgements: Judgements = {}
    for qrel in qrels:
        relevant = judgements.setdefault(qrel.query_id, [])
        if mode == "official" or qrel.relevance >= 1:
            relevant.append(qrel.passage_id)
    return judgements


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
        hits[query_id] = []
        for passage_id in rankings.get(query_id, []):
            _, title, text = collection[passage_id]
            searched = f"{title} . {text}" if with_titles else text
            if match(searched, answers_of_query):
                hits[query_id] = [passage_id]
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


def repeated_passages(rankings: Rankings) -> list[tuple[str, str]]:
    """Returns (query_id, passage_id) of each passage that occurs more than once for a query."""
    repeated = []
    for query_id, ranking in rankings.items():
        for passage_id, count in Counter(ranking).items():
            if count > 1 and passage_id != EMPTY_SLOT:
                repeated.append((query_id, passage_id))
    return repeated
