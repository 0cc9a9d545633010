"""Data augmentation (section 3.3.3): training rows from queries without labels.

The retriever finds passages for an unlabelled query, and the cross encoder scores them. Only
confident decisions become pseudo-labels (the paper's thresholds are 0.9 and 0.1, section 4.1.3):

    positive     the passage with the highest P(relevant), if that is above `min_positive`
    negatives    the passages whose P(relevant) is below `max_negative`, in the order of their ranks

A query without a confident positive and a confident negative gives no training row.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rocketqa.denoised_hard_negatives import (
    Scores,
    confident_negatives,
    dual_examples,
    score_of,
)
from rocketqa.files.examples import TrainingExample, TrainingRows
from rocketqa.files.formats import line_of
from rocketqa.files.runs import Ranking, RunFile, ScoredPassage


class PseudoLabelSettings(NamedTuple):
    """How pseudo-labels are chosen among the retrieved passages of a query."""

    depth: int  # the candidates are the passages at ranks 1 to `depth`
    min_positive: float  # the best candidate is the positive if its P(relevant) is above this
    max_negative: float  # a candidate is a negative if its P(relevant) is below this
    rows: int  # the largest number of training rows of a query
    negatives_per_row: int  # hard negatives of each row


def pseudo_label(
    run: Mapping[str, Ranking], scores: RunFile, settings: PseudoLabelSettings
) -> TrainingRows:
    """Returns the training rows of all queries of a run, in the run's order.

    Raises DataError if a candidate has no score.
    """
    lines: list[str] = []
    labelled_queries = 0
    for query_id, ranking in run.items():
        examples = pseudo_labelled_examples(query_id, ranking, scores.scores(query_id), settings)
        lines.extend(line_of(example) for example in examples)
        if examples:
            labelled_queries += 1
    return TrainingRows(lines, labelled_queries, len(run) - labelled_queries)


def pseudo_labelled_examples(
    query_id: str,
    ranking: Sequence[ScoredPassage],
    scores: Scores,
    settings: PseudoLabelSettings,
) -> list[TrainingExample]:
    """Returns the training rows of one unlabelled query; none without a confident positive.

    Raises DataError if a candidate has no score.

    # Official code: only the best passage above `min_positive` is a positive, not all of them
    (`construct_unlabel_train_de.py`).
    """
    candidates = [scored.passage_id for scored in ranking if scored.rank <= settings.depth]
    positive_id = confident_positive(query_id, candidates, scores, settings.min_positive)
    if positive_id is None:
        return []
    negatives = confident_negatives(query_id, candidates, scores, settings.max_negative)
    other_negatives = [passage_id for passage_id in negatives if passage_id != positive_id]
    examples = dual_examples(
        query_id, [positive_id], other_negatives, settings.rows, settings.negatives_per_row
    )
    return list(examples)


def confident_positive(
    query_id: str, candidates: Sequence[str], scores: Scores, min_positive: float
) -> str | None:
    """Returns the candidate with the highest P(relevant), None unless it is above `min_positive`.

    The first of equal candidates wins. Raises DataError if a candidate has no score.
    """
    if not candidates:
        return None
    probabilities = [score_of(scores, query_id, passage_id) for passage_id in candidates]
    highest = max(probabilities)
    if highest <= min_positive:
        return None
    return candidates[probabilities.index(highest)]
