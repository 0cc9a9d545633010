"""Measures of a run: per query first, then the mean over the queries of the judgements or answers.

    MRR@k       1 / rank of the first relevant passage among the top k, 0 without one
    Success@k   1 where any relevant passage is among the top k: what the paper's tables call "R@k"
    Recall@k    share of the relevant passages among the top k
    accuracy@k  1 where any of the top k passages holds an answer (DPR's top-k accuracy)

A query that the run lacks counts 0. `strict` mode refuses ranks that are not 1, 2, ... and passages that come twice.
`official` mode sees what the official scripts see. MS MARCO's: 1,000 slots, where a short list is padded with passage
"0", the last of two lines for a rank wins, rank 0 is slot 1,000, rank -1 slot 999, and every judged passage is
relevant, for its judgement is not read. DPR's: an answer without tokens is in every passage, and there is no accuracy
beyond the length of the first query's list. `released` mode is the released code's `nq_eval.py`: dots are stripped from
the ends of answers, and the mean is over the queries of the run.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rocketqa.files.answers import has_answer
from rocketqa.files.errors import DataError, Fault, refuse
from rocketqa.files.formats import Passage, iterate_qrels, read_qrels
from rocketqa.files.rows import FIRST_FAULT, Check
from rocketqa.files.runs import RunFile, iterate_run

Rankings = dict[str, list[str]]  # query_id -> passage ids by rank
Judgements = dict[
    str, list[str]
]  # query_id -> relevant passages; none where all that was judged is irrelevant
OFFICIAL_SLOTS = 1000
LET_PASS = (
    "ranks",
    "duplicate ids",
    "empty text",
    "non-finite scores",
    "final newline",
    "carriage returns",
)


def _letting_pass(*kinds: str) -> Check:
    def report(fault: Fault) -> None:
        if fault.kind not in kinds:
            refuse(fault)

    return Check(report=report)


OFFICIAL = _letting_pass(*LET_PASS)
OFFICIAL_QRELS = _letting_pass(
    *LET_PASS, "numbers"
)  # the only number there is the relevance, which it does not read


def read_rankings(path: Path, mode: str) -> Rankings:
    """Returns the passage ids of each query by rank; in official mode 1,000 slots."""
    if mode == "strict":
        return {
            query_id: [scored.passage_id for scored in ranking]
            for query_id, ranking in RunFile(path).items()
        }
    rankings: Rankings = {}
    for row, scored in iterate_run(path, OFFICIAL):
        if not -OFFICIAL_SLOTS < scored.rank <= OFFICIAL_SLOTS:
            refuse(Fault("ranks", row.place, f"a rank up to {OFFICIAL_SLOTS}", str(scored.rank)))
        slots = rankings.setdefault(scored.query_id, ["0"] * OFFICIAL_SLOTS)
        slots[scored.rank - 1] = scored.passage_id
    return rankings


def read_judgements(path: Path, mode: str) -> Judgements:
    """Returns query_id -> the passages that the mode takes for relevant, for every query of the file."""
    judgements: Judgements = {}
    qrels = (
        read_qrels(path)
        if mode == "strict"
        else [qrel for _, qrel in iterate_qrels(path, OFFICIAL_QRELS)]
    )
    for qrel in qrels:
        relevant = judgements.setdefault(qrel.query_id, [])
        if mode == "official" or qrel.relevance >= 1:
            relevant.append(qrel.passage_id)
    return judgements


def read_answered(
    run: Path,
    known: dict[str, tuple[str, ...]],
    collection: Mapping[str, Passage],
    depth: int,
    mode: str,
    match: Callable[[str, Iterable[str]], bool] = has_answer,
    titles: bool = False,
) -> tuple[Rankings, Judgements]:
    """Returns each query's top `depth` passages by rank, and the first of them that holds an answer (if any).

    known: query_id -> answers. titles: search `title . text` instead of the text alone (DPR's option). Raises
    DataError where the collection lacks a passage.
    """
    check = FIRST_FAULT if mode == "strict" else OFFICIAL
    rankings = {
        query_id: [scored.passage_id for scored in ranking[:depth]]
        for query_id, ranking in RunFile(run, check).items()
    }
    wanted = {passage_id for query_id in known for passage_id in rankings.get(query_id, ())}
    if unknown := [passage_id for passage_id in wanted if passage_id not in collection]:
        raise DataError(f"{run}: expected passages of the collection, got {min(unknown)!r}")

    def text_of(passage_id: str) -> str:
        _, title, text = collection[passage_id]
        return f"{title} . {text}" if titles else text

    hits: Judgements = {}
    for query_id, own in known.items():
        found = (
            passage_id
            for passage_id in rankings.get(query_id, ())
            if match(text_of(passage_id), own)
        )
        if mode != "released" or query_id in rankings:
            hits[query_id] = [passage_id for passage_id, _ in zip(found, range(1))]
    return rankings, hits


def repeated(rankings: Rankings) -> list[tuple[str, str]]:
    """Returns (query, passage) of the passages that come twice: the official script says so and scores on."""
    return [
        (query_id, passage_id)
        for query_id, ranking in rankings.items()
        for passage_id, count in Counter(ranking).items()
        if count > 1 and passage_id != "0"
    ]


def reciprocal_rank(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns 1 / rank of the first relevant passage among the top k, or 0."""
    return next(
        (1 / rank for rank, passage_id in enumerate(ranking[:k], 1) if passage_id in relevant), 0.0
    )


def success(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns 1 where a relevant passage is among the top k, else 0."""
    return float(any(passage_id in relevant for passage_id in ranking[:k]))


def recall(ranking: list[str], relevant: Iterable[str], k: int) -> float:
    """Returns the share of the relevant passages that is among the top k."""
    relevant = set(relevant)
    return len(relevant.intersection(ranking[:k])) / len(relevant)


MEASURES: dict[str, Callable[[list[str], Iterable[str], int], float]] = {
    "MRR": reciprocal_rank,
    "Success": success,
    "Recall": recall,
    "accuracy": success,
}


def parse_measure(name: str) -> tuple[Callable, int]:
    """Returns the function and k of `MRR@10` and the like. Raises DataError on another name."""
    kind, _, k = name.partition("@")
    if kind not in MEASURES or not k.isdecimal() or int(k) < 1:
        raise DataError(f"measure: expected one of {', '.join(MEASURES)} and @k, got {name}")
    return MEASURES[kind], int(k)


def per_query(rankings: Rankings, positives: Judgements, measure: str) -> dict[str, float]:
    """Returns query_id -> value for every judged query, those of the run first and in its order.

    Raises DataError where run and judgements share no query.
    """
    function, k = parse_measure(measure)
    evaluated = [query_id for query_id in rankings if query_id in positives]
    if not evaluated:
        raise DataError("run: expected queries of the judgements, got none of them")
    return {
        query_id: function(rankings.get(query_id, []), positives[query_id], k)
        for query_id in dict.fromkeys([*evaluated, *positives])
    }


def mean(values: dict[str, float]) -> float:
    """Returns the mean over queries, summed in their order: to the last digit what the official script gives."""
    total = 0.0
    for value in values.values():
        total += value
    return total / len(values)
