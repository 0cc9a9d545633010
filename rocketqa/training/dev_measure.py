"""MRR@10 on a small dev set while a model trains: to see it learn, and to keep the best model.

This is not the measure of a retriever, which searches the whole collection (`rocketqa evaluate`):
here a positive competes with the passages of the dev examples alone.
"""

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.evaluation.measures import mean, reciprocal_rank
from rocketqa.files.runs import ranked
from rocketqa.training.batches import CrossBatches, DualBatches

ROWS = 64  # examples encoded at a time
CUTOFF = 10


def dual_encoder_mrr(model: DualEncoder, dev: DualBatches) -> float:
    """Returns MRR@10 of the dev queries' positives among all passages of the dev examples."""
    q_parts, p_parts, passage_ids = [], [], []
    for indices in _parts(len(dev)):
        chunk = dev.chunk(indices)
        q_reps, p_reps = model(chunk.queries, chunk.passages)
        q_parts.append(q_reps.numpy())
        p_parts.append(p_reps.numpy())
        passage_ids += dev.passage_ids(indices)
    # A passage that several examples name competes once: its last place stands for it.
    place_of: dict[str, int] = {}
    for place, passage_id in enumerate(passage_ids):
        place_of[passage_id] = place
    distinct_ids = np.array(list(place_of))
    distinct_places = list(place_of.values())
    distinct_p_reps = np.concatenate(p_parts)[distinct_places]
    scores = np.concatenate(q_parts) @ distinct_p_reps.T  # [examples, distinct passages]
    positives: dict[str, set[str]] = {}
    for example in dev.examples:
        positives.setdefault(example.query_id, set()).add(example.positive_id)
    reciprocal_ranks = {}
    for example, row in zip(dev.examples, scores):
        best = np.argsort(-row, kind="stable")[:CUTOFF]
        ranking = list(distinct_ids[best])
        query_id = example.query_id
        reciprocal_ranks[query_id] = reciprocal_rank(ranking, positives[query_id], CUTOFF)
    return mean(reciprocal_ranks)


def cross_encoder_mrr(model: CrossEncoder, dev: CrossBatches) -> float:
    """Returns MRR@10 of each dev query's relevant passages among its own pairs, over the queries
    that have one.
    """
    chunks = [dev.chunk(indices) for indices in _parts(len(dev))]
    scores = np.concatenate([model.probability(chunk.pairs).numpy() for chunk in chunks])
    scored: dict[str, list[tuple[str, float]]] = {}
    positives: dict[str, set[str]] = {}
    for pair, score in zip(dev.pairs, scores):
        scored.setdefault(pair.query_id, []).append((pair.passage_id, float(score)))
        if pair.label:
            positives.setdefault(pair.query_id, set()).add(pair.passage_id)
    reciprocal_ranks = {}
    for query_id, relevant in positives.items():
        ranking = [line.passage_id for line in ranked(query_id, scored[query_id])]
        reciprocal_ranks[query_id] = reciprocal_rank(ranking, relevant, CUTOFF)
    return mean(reciprocal_ranks)


def _parts(count: int) -> list[np.ndarray]:
    """Returns the indices 0 to count - 1, ROWS at a time."""
    return [np.arange(begin, min(begin + ROWS, count)) for begin in range(0, count, ROWS)]
