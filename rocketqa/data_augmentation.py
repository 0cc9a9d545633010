"""Data augmentation (section 3.3.3): the cross encoder labels retrieved passages for unlabelled queries.

Only confident labels are kept: the best passage as positive where its P(relevant) is above `min_positive`, negatives
where it is below `max_negative`.
"""

from collections.abc import Sequence

from rocketqa.denoised_hard_negatives import Scores, dual_examples, rejected, score_of, unlabelled
from rocketqa.files.formats import TrainingExample
from rocketqa.files.runs import ScoredPassage


def pseudo_labelled(
    query_id: str,
    ranking: Sequence[ScoredPassage],
    scores: Scores,
    depth: int,
    min_positive: float,
    max_negative: float,
    rows: int,
    negatives_per_row: int,
) -> list[TrainingExample]:
    """Returns the rows for one unlabelled query; none where no passage is a confident positive.

    The positive is the one with the best score (the better rank when equal), the negatives the first by rank that
    the cross encoder rejects (released `construct_unlabel_train_de.py`). Raises DataError where a score is missing.
    """
    candidates = unlabelled(ranking, (), depth)
    if not candidates:
        return []
    best = max(candidates, key=lambda passage_id: score_of(scores, query_id, passage_id))
    if scores[query_id, best] <= min_positive:
        return []
    negatives = [
        passage_id
        for passage_id in rejected(query_id, candidates, scores, max_negative)
        if passage_id != best
    ]
    return list(dual_examples(query_id, [best], negatives, rows, negatives_per_row))
