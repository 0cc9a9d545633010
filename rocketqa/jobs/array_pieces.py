"""Pieces that are arrays. Every verb loads `pieces.py`, and few of them need NumPy."""

from pathlib import Path

import numpy as np

from rocketqa.jobs.pieces import new_piece


def write_array(path: Path, values: np.ndarray) -> None:
    """Writes an array as .npy."""
    with new_piece(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, values)
