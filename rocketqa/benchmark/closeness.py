"""How close the vectors of a contender are to those of float32."""

from typing import NamedTuple

import numpy as np


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
