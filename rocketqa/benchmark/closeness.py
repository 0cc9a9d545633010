"""How close the vectors of a contender are to those of float32, and how well they retrieve.

Letters: N texts, H hidden size.
"""

from typing import NamedTuple

import numpy as np

CUTOFF = 10  # of MRR


class Closeness(NamedTuple):
    """The largest difference of a component; the mean and the least cosine over the vectors."""

    largest_difference: float
    mean_cosine: float
    least_cosine: float


def closeness(vectors: np.ndarray, exact: np.ndarray) -> Closeness:
    """Returns how close vectors are to the exact ones of the same texts; both [N, H]."""
    found = vectors.astype(np.float64)
    wanted = exact.astype(np.float64)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)  # [N]
    cosines = (found * wanted).sum(axis=1) / lengths  # [N]
    return Closeness(
        largest_difference=float(np.abs(found - wanted).max()),
        mean_cosine=float(cosines.mean()),
        least_cosine=float(cosines.min()),
    )


def mrr_of(q_reps: np.ndarray, p_reps: np.ndarray) -> float:
    """Returns MRR@10 of N queries, each of whose relevant passage is at its own place among N.

    q_reps, p_reps: [N, H], compared by the dot product. A passage with the same score as the
    relevant one stands before it.
    """
    scores = q_reps.astype(np.float64) @ p_reps.astype(np.float64).T  # [N, N]
    ranks = (scores >= scores.diagonal()[:, None]).sum(axis=1)  # [N]
    return float(np.where(ranks <= CUTOFF, 1 / ranks, 0).mean())
