"""MRR@10 on a small dev set while a model trains: to see it learn, and to keep the best.

Not the measure of a retriever, which searches the whole collection (`rocketqa evaluate`): here a positive competes with
the passages of the dev examples alone.
"""

import numpy as np

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.evaluation.measures import mean, reciprocal_rank
from rocketqa.files.runs import ranked
from rocketqa.training.batches import CrossBatches, DualBatches

ROWS = 64  # examples encoded at a time


def dual_encoder_mrr(model: DualEncoder, dev: DualBatches) -> float:
    """Returns MRR@10 of the dev queries' positives among all passages of the dev examples."""
    reps = [model(rows.queries, rows.passages) for rows in map(dev.rows, _parts(len(dev.examples)))]
    passage_ids = [
        passage_id for part in _parts(len(dev.examples)) for passage_id in dev.passage_ids(part)
    ]
    distinct = {
        passage_id: place for place, passage_id in enumerate(passage_ids)
    }  # a passage counts once
    p_reps = np.concatenate([part[1].numpy() for part in reps])[list(distinct.values())]
    scores = np.concatenate([part[0].numpy() for part in reps]) @ p_reps.T
    names, positives = np.array(list(distinct)), {}
    for example in dev.examples:
        positives.setdefault(example.query_id, set()).add(example.positive_id)
    return mean(
        {
            example.query_id: reciprocal_rank(
                list(names[np.argsort(-row, kind="stable")[:10]]), positives[example.query_id], 10
            )
            for example, row in zip(dev.examples, scores)
        }
    )


def cross_encoder_mrr(model: CrossEncoder, dev: CrossBatches) -> float:
    """Returns MRR@10 of each dev query's relevant passages among its own pairs, over queries that have one."""
    scores = np.concatenate(
        [model.probability(dev.rows(part)[0]).numpy() for part in _parts(len(dev.pairs))]
    )
    rankings: dict[str, list[tuple[str, float]]] = {}
    positives: dict[str, set[str]] = {}
    for pair, score in zip(dev.pairs, scores):
        rankings.setdefault(pair.query_id, []).append((pair.passage_id, float(score)))
        if pair.label:
            positives.setdefault(pair.query_id, set()).add(pair.passage_id)
    return mean(
        {
            query_id: reciprocal_rank(
                [scored.passage_id for scored in ranked(query_id, rankings[query_id])], relevant, 10
            )
            for query_id, relevant in positives.items()
        }
    )


def _parts(count: int) -> list[np.ndarray]:
    return [np.arange(begin, min(begin + ROWS, count)) for begin in range(0, count, ROWS)]
