"""Makers of denoising counts from literal queries."""

from rocketqa.evaluation.denoising_counts import DenoisingCounts
from rocketqa.files.runs import ScoredPassage


def counts_of(*queries, max_negative=0.1, min_positive=0.9, seed=1) -> DenoisingCounts:
    """Returns the counts of (query_id, {passage_id: score} by rank, positives, truth)."""
    counts = DenoisingCounts(max_negative, min_positive, seed)
    for query_id, score_of, positives, truth in queries:
        top = [
            ScoredPassage(query_id, passage_id, rank, 1 / rank)
            for rank, passage_id in enumerate(score_of, 1)
        ]
        scores = {(query_id, passage_id): score for passage_id, score in score_of.items()}
        counts.add(query_id, top, scores, positives, truth)
    return counts
