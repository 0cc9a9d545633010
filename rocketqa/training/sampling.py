"""Training rows with sampled negatives for all queries of a file (stages 1 to 3, section 3.4).

positives    the labelled passages of a query, or its best-ranked passage that holds an answer
negatives    random passages of the collection (step 1), or retrieved passages, denoised or not
             (`rocketqa.denoised_hard_negatives`)
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from rocketqa.denoised_hard_negatives import (
    HardNegativeSettings,
    cross_examples,
    draw,
    dual_examples,
    hard_negatives,
)
from rocketqa.files.answers import has_answer_string
from rocketqa.files.examples import LabelledPair, TrainingExample, TrainingRows
from rocketqa.files.formats import (
    Passage,
    iterate_collection,
    line_of,
    read_answers,
    read_positives,
)
from rocketqa.files.rows import RAISE_FAULTS, Check
from rocketqa.files.runs import Ranking, RunFile, ScoredPassage
from rocketqa.jobs.seeds import generator

PassageIds = Collection[str]


class QueryPositives(NamedTuple):
    """A query, its positives, and all passages that must not be its negatives."""

    query_id: str
    positives: list[str]
    excluded: PassageIds


class NegativeSource(Protocol):
    """Where the negatives of a query come from."""

    def negatives(self, query_id: str, excluded: PassageIds, count: int) -> list[str]:
        """Returns the ids of up to `count` negatives that are not excluded."""


class RandomNegatives:
    """Random passages of a collection. `known_ids` holds the ids of all its passages."""

    def __init__(self, collection: Path, seed: int):
        self.seed = seed
        self.known_ids: set[str] = set()
        passages = iterate_collection(collection, seen=self.known_ids)
        self.passage_ids = sorted_ids(passage.passage_id for passage in passages)

    def negatives(self, query_id: str, excluded: PassageIds, count: int) -> list[str]:
        """Returns the ids of `count` random passages that are not excluded."""
        return random_negatives(query_id, self.passage_ids, excluded, count, self.seed)


class RetrievedNegatives(NamedTuple):
    """Passages of a run, denoised if there are scores of a cross encoder."""

    run: Mapping[str, Ranking]
    scores: RunFile | None
    settings: HardNegativeSettings

    def negatives(self, query_id: str, excluded: PassageIds, count: int) -> list[str]:
        """Returns the ids of up to `count` hard negatives."""
        ranking = self.run.get(query_id, [])
        scores = None if self.scores is None else self.scores.scores(query_id)
        return hard_negatives(query_id, ranking, excluded, scores, count, self.settings)


class RowSettings(NamedTuple):
    """What the training rows look like."""

    encoder: str  # "dual" or "cross"
    negatives: int  # dual: rows for each positive; cross: negatives for each query
    negatives_per_row: int = 1  # dual: hard negatives of each row
    keep_one_sided: bool = False  # cross: a query without negatives gives rows of its positives


def sample_rows(
    queries: Iterable[QueryPositives], source: NegativeSource, settings: RowSettings
) -> TrainingRows:
    """Returns the training rows of all queries, in their order."""
    lines: list[str] = []
    used = left_out = 0
    for query in queries:
        rows = rows_of_query(query, source, settings)
        lines.extend(line_of(row) for row in rows)
        if rows:
            used += 1
        else:
            left_out += 1
    return TrainingRows(lines, used, left_out)


def rows_of_query(
    query: QueryPositives, source: NegativeSource, settings: RowSettings
) -> Sequence[TrainingExample] | Sequence[LabelledPair]:
    """Returns the training rows of one query; none if there are not enough negatives for a row."""
    query_id, positives, excluded = query
    if settings.encoder == "dual":
        per_positive = settings.negatives * settings.negatives_per_row
        negatives = source.negatives(query_id, excluded, per_positive * len(positives))
        examples = dual_examples(
            query_id, positives, negatives, settings.negatives, settings.negatives_per_row
        )
        return list(examples)
    # Official code: with answers, a query with only a positive or only negatives gives rows too.
    negatives = source.negatives(query_id, excluded, settings.negatives)
    if not negatives and not settings.keep_one_sided:
        return []
    return list(cross_examples(query_id, positives, negatives))


def queries_by_label(
    qrels: Path, further_positives: Path | None, check: Check = RAISE_FAULTS
) -> Iterator[QueryPositives]:
    """Yields the queries of a file of labels with their positives.

    further_positives: a file of labels whose passages are excluded too, but are not positives to
    learn from.
    """
    positives = read_positives(qrels, check=check)
    excluded = positives
    if further_positives:
        excluded = read_positives(qrels, further_positives, check=check)
    for query_id, passage_ids in positives.items():
        yield QueryPositives(query_id, sorted_ids(passage_ids), excluded[query_id])


def queries_by_answer(
    answers: Path,
    run: Mapping[str, Ranking],
    passages: Mapping[str, Passage],
    settings: HardNegativeSettings,
    further_positives: Path | None = None,
) -> Iterator[QueryPositives]:
    """Yields the queries of a file of answers.

    The positive of a query is its best-ranked passage that holds an answer, if there is one. All
    passages with an answer are excluded from the negatives, and so are those of
    `further_positives`, a file of labels.

    # Official code: Natural Questions' positives and negatives follow the answers, not the labels.
    """
    further = read_positives(further_positives) if further_positives else {}
    last_rank = max(settings.depth, settings.fill_depth)
    for query_id, answers_of_query in read_answers(answers).items():
        top = [scored for scored in run.get(query_id, []) if scored.rank <= last_rank]
        with_answer = passages_with_answer(top, passages, answers_of_query)
        candidates = [scored.passage_id for scored in top if scored.rank <= settings.depth]
        positives = [passage_id for passage_id in candidates if passage_id in with_answer][:1]
        excluded = with_answer.union(further.get(query_id, ()))
        yield QueryPositives(query_id, positives, excluded)


def passages_with_answer(
    ranking: Iterable[ScoredPassage], passages: Mapping[str, Passage], answers: Sequence[str]
) -> set[str]:
    """Returns the ids of the retrieved passages whose text or title holds an answer."""
    found: set[str] = set()
    for scored in ranking:
        passage = passages[scored.passage_id]
        in_text = has_answer_string(passage.text, answers)
        if in_text or has_answer_string(passage.title, answers):
            found.add(passage.passage_id)
    return found


def random_negatives(
    query_id: str, passage_ids: Sequence[str], excluded: PassageIds, count: int, seed: int
) -> list[str]:
    """Returns the ids of `count` random passages that are not excluded.

    If there are fewer than `count`, all of them are returned. Source: step 1 of the released code.
    """
    if len(passage_ids) < 2 * (count + len(excluded)):  # a draw would often hit an excluded one
        allowed = [passage_id for passage_id in passage_ids if passage_id not in excluded]
        return draw(query_id, allowed, count, seed, "random passages")
    random = generator(seed, "random passages", query_id)
    chosen: list[str] = []
    while len(chosen) < count:
        place = int(random.integers(len(passage_ids)))
        passage_id = passage_ids[place]
        if passage_id not in excluded and passage_id not in chosen:
            chosen.append(passage_id)
    return chosen


def sorted_ids(ids: Iterable[str]) -> list[str]:
    """Returns ids sorted by length, then by character, so that numeric ids are sorted numerically.

    What is drawn from them does not depend on the order of lines in a file.
    """
    return sorted(sorted(ids), key=len)
